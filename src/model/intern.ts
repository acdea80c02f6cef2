/**
 * Gives equal values one identity, so that a hundred thousand equal strings or lists cost as much as one. Forgets everything when it holds
 * `limit` entries: values live on where they are used, only the sharing begins anew.
 */
export class Interner<T> {
  readonly #limit: number
  readonly #known = new Map<string, T>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The value known under the key, or the one that `make` gives. */
  get(key: string, make: () => T): T {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#known.size >= this.#limit) this.#known.clear()
    const made = make()
    this.#known.set(key, made)
    return made
  }
}
