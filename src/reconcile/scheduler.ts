/** Timers, injected so that tests decide when they fire. */
export interface Timers {
  /** Milliseconds, monotonic. */
  now(): number
  /** Runs `task` in the next turn of the event loop, or after `ms` when that is over 0; the result cancels it. */
  after(ms: number, task: () => void): () => void
}

export interface SchedulerBounds {
  /** Endpoint changes that follow a flush within this many ms wait for its end: bursts merge, a lone change never waits. */
  readonly endpointQuietMs: number
  /** Structure waits until nothing changed for this long … */
  readonly structureQuietMs: number
  /** … but never longer than this after the first change. */
  readonly structureCapMs: number
}

/** reference/xds.md 2.1 (6): 0 ms leading edge for endpoints, a short trailing wait; 50 to 100 ms for structure with a cap. */
export const defaultBounds: SchedulerBounds = { endpointQuietMs: 5, structureQuietMs: 50, structureCapMs: 500 }

/** One loop, one timer each for the two paths (style.md, principle 12). */
export class Scheduler {
  readonly #timers: Timers
  readonly #bounds: SchedulerBounds
  readonly #flushEndpoints: () => void
  readonly #flushStructure: () => void
  #endpointsPending = false
  #endpointsFlushedAt = -Infinity
  #structureSince: number | undefined
  #cancelStructure: (() => void) | undefined
  #cancelEndpoints: (() => void) | undefined

  constructor(timers: Timers, bounds: SchedulerBounds, flush: { endpoints: () => void; structure: () => void }) {
    this.#timers = timers
    this.#bounds = bounds
    this.#flushEndpoints = flush.endpoints
    this.#flushStructure = flush.structure
  }

  endpointsChanged(): void {
    if (this.#endpointsPending) return
    this.#endpointsPending = true
    const quietFor = this.#timers.now() - this.#endpointsFlushedAt
    const wait = quietFor >= this.#bounds.endpointQuietMs ? 0 : this.#bounds.endpointQuietMs - quietFor
    this.#cancelEndpoints = this.#timers.after(wait, () => {
      this.#endpointsPending = false
      this.#flushEndpoints()
      this.#endpointsFlushedAt = this.#timers.now()
    })
  }

  structureChanged(): void {
    const now = this.#timers.now()
    this.#structureSince ??= now
    const untilCap = Math.max(0, this.#structureSince + this.#bounds.structureCapMs - now)
    this.#cancelStructure?.()
    this.#cancelStructure = this.#timers.after(Math.min(this.#bounds.structureQuietMs, untilCap), () => {
      this.flushStructureNow()
    })
  }

  /** For the start, where nobody gains from waiting. */
  flushStructureNow(): void {
    this.#cancelStructure?.()
    this.#cancelStructure = undefined
    this.#structureSince = undefined
    this.#flushStructure()
  }

  stop(): void {
    this.#cancelStructure?.()
    this.#cancelEndpoints?.()
  }
}

/** The process's own timers. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, task) {
    if (ms <= 0) {
      const immediate = setImmediate(task)
      return () => clearImmediate(immediate)
    }
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
}
