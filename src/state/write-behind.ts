import type { Clock } from '../discovery/contract.ts'

export interface WriteBehindGiven {
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  /**
   * Writes what is due, in one transaction, until `enough` says so or nothing is left. Gives whether something is left. What it throws is
   * told to `onFailure`, and it is called again later: it must keep what it could not write.
   */
  readonly write: (enough: () => boolean) => boolean
  /** Is told of the first failure of a row, and with undefined that writing works again. */
  readonly onFailure: (error: unknown) => void
  /** From the first change to its write, ms; what happens meanwhile is written with it. */
  readonly delayMs?: number
}

const usualDelayMs = 1000
const retryMs = 5000
/** Longest hold of the event loop at once, ms, and how many times that it is left alone afterwards: changes of endpoints go first. */
const sliceMs = 3
const restFactor = 9

/** Writes state some time after it changed, off the path of the change: many changes together, in short slices. */
export class WriteBehind {
  readonly #given: WriteBehindGiven
  readonly #stopped = new AbortController()
  #running = false
  #failed = false

  constructor(given: WriteBehindGiven) {
    this.#given = given
  }

  /** Something is to be written. */
  due(): void {
    if (this.#running || this.#stopped.signal.aborted) return
    this.#running = true
    void this.#run().finally(() => (this.#running = false))
  }

  /** Writes everything now; nothing is written later. */
  stop(): void {
    if (this.#stopped.signal.aborted) return
    this.#stopped.abort()
    this.#attempt(() => false)
  }

  async #run(): Promise<void> {
    const { clock, delayMs = usualDelayMs } = this.#given
    const { signal } = this.#stopped
    await clock.sleep(delayMs, signal)
    while (!signal.aborted) {
      const begun = clock.now()
      const outcome = this.#attempt(() => clock.now() >= begun + sliceMs)
      if (outcome === 'done') return
      // What the transaction's end took counts too.
      await clock.sleep(outcome === 'failed' ? retryMs : (clock.now() - begun) * restFactor, signal)
    }
  }

  #attempt(enough: () => boolean): 'done' | 'more' | 'failed' {
    try {
      const more = this.#given.write(enough)
      if (this.#failed) this.#given.onFailure(undefined)
      this.#failed = false
      return more ? 'more' : 'done'
    } catch (error) {
      if (!this.#failed) this.#given.onFailure(error)
      this.#failed = true
      return 'failed'
    }
  }
}
