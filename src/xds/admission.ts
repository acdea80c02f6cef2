export interface AdmissionGiven {
  readonly clock: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
  /** Clients let in per second, in the long run. */
  readonly perSecond: number
  /** So many at once, if it was quiet before. */
  readonly burst: number
  /** Who would have to wait longer than this, ms, is sent away: it comes back with a back-off of its own. */
  readonly longestWaitMs: number
}

/**
 * The token bucket of new clients (xds.md L7): when all of them come back at once, each gets its first answers a little later instead of
 * everybody getting them when the last has been served. Who waits costs one timer; nothing is queued.
 */
export class Admission {
  readonly #given: AdmissionGiven
  /** When the next one is due, had they come evenly, `clock.now()`. */
  #due = -Infinity

  constructor(given: AdmissionGiven) {
    this.#given = given
  }

  /** Takes a place: the time to wait for it, 0 = none; undefined: there is none within the longest wait. */
  take(): number | undefined {
    const { clock, perSecond, burst, longestWaitMs } = this.#given
    const now = clock.now()
    const step = 1000 / perSecond
    const due = Math.max(this.#due, now - (burst - 1) * step)
    if (due - now > longestWaitMs) return undefined
    this.#due = due + step
    return Math.max(0, due - now)
  }

  /** Resolves when the time is over, or `signal` is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    return this.#given.clock.sleep(ms, signal)
  }
}
