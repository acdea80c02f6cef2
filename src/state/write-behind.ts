import type { Clock } from '../discovery/contract.ts'

export interface WriteBehindGiven {
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  /**
   * Collects what is due, at once, until `enough` says so or nothing is left, and writes it. Gives whether something is left. What it throws
   * is told to `onFailure`, and it is called again later: it must keep what it could not write. Never called while it runs.
   */
  readonly write: (enough: () => boolean) => Promise<boolean>
  /** Is told of the first failure of a row, and with undefined that writing works again. */
  readonly onFailure: (error: unknown) => void
  /** From a change to its write, ms; what happens meanwhile is written with it. */
  readonly delayMs: number
}

const retryMs = 5000
/** Longest hold of the event loop at once, ms, and how many times that it is left alone afterwards: changes of endpoints go first. */
const sliceMs = 3
const restFactor = 4

/** Writes state some time after it changed, off the path of the change: many changes together, collected in short slices. */
export class WriteBehind {
  readonly #given: WriteBehindGiven
  readonly #stopped = new AbortController()
  #isDue = false
  #isRunning = false
  #hasFailed = false
  /** Settles when the last attempt is over; they follow each other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(given: WriteBehindGiven) {
    this.#given = given
  }

  /** Something is to be written. */
  due(): void {
    this.#isDue = true
    if (this.#isRunning || this.#stopped.signal.aborted) return
    this.#isRunning = true
    void this.#run()
  }

  /** Writes what is due now, still in slices. Rejects with what `write` throws. */
  async flush(): Promise<void> {
    for (;;) {
      const { outcome, error } = await this.#attempt()
      if (outcome === 'failed') throw error
      if (outcome === 'done') return
    }
  }

  /** Writes everything; nothing is written later. A failure is told like any other. */
  async stop(): Promise<void> {
    if (this.#stopped.signal.aborted) return
    this.#stopped.abort()
    await this.#turn
    if (this.#isDue) await this.flush().catch(() => undefined)
  }

  async #run(): Promise<void> {
    const { clock, delayMs } = this.#given
    const { signal } = this.#stopped
    const isOver = (): boolean => signal.aborted
    let restMs = delayMs
    while (this.#isDue && !isOver()) {
      await clock.sleep(restMs, signal)
      if (isOver()) return
      const { outcome, heldMs } = await this.#attempt()
      restMs = outcome === 'done' ? delayMs : outcome === 'failed' ? retryMs : heldMs * restFactor
    }
    this.#isRunning = false
  }

  #attempt(): Promise<Attempt> {
    const attempt = this.#turn.then(() => this.#once())
    this.#turn = attempt
    return attempt
  }

  async #once(): Promise<Attempt> {
    const { clock, write, onFailure } = this.#given
    const begun = clock.now()
    let heldMs = 0
    this.#isDue = false
    try {
      const writing = write(() => clock.now() >= begun + sliceMs)
      heldMs = clock.now() - begun
      const isMore = await writing
      if (this.#hasFailed) onFailure(undefined)
      this.#hasFailed = false
      if (isMore) this.#isDue = true
      return { outcome: isMore ? 'more' : 'done', heldMs, error: undefined }
    } catch (error) {
      this.#isDue = true
      if (!this.#hasFailed) onFailure(error)
      this.#hasFailed = true
      return { outcome: 'failed', heldMs, error }
    }
  }
}

interface Attempt {
  readonly outcome: 'done' | 'more' | 'failed'
  /** How long the event loop was held. */
  readonly heldMs: number
  readonly error: unknown
}
