/** Opens once: until then nothing is answered from a table that is not complete (xds.md L1, discovery.md 5.7). */
export class Gate {
  readonly #listeners: (() => void)[] = []
  #open = false

  get open(): boolean {
    return this.#open
  }

  /** Calls back when the gate opens, or at once if it is open. */
  onOpen(callback: () => void): void {
    if (this.#open) callback()
    else this.#listeners.push(callback)
  }

  release(): void {
    if (this.#open) return
    this.#open = true
    for (const listener of this.#listeners.splice(0)) listener()
  }
}
