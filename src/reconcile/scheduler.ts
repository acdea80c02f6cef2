import type { Steps } from '../model/steps.ts'

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

/**
 * 0 ms leading edge for endpoints, a short trailing wait; a quiet time for structure, with a cap (reference/xds.md 2.1 (6), which advises 50 to 100 ms:
 * a folder of manifests has had its own 20 ms by then, and a flush is no longer one piece, so less will do).
 */
export const defaultBounds: SchedulerBounds = { endpointQuietMs: 5, structureQuietMs: 20, structureCapMs: 500 }

/** So long a step of a structure flush may hold the event loop; then whatever waits has its turn. */
const sliceMs = 5

/** One loop, one timer each for the two paths (style.md, principle 12). A structure flush is cut into slices, between which endpoints go first. */
export class Scheduler {
  readonly #timers: Timers
  readonly #bounds: SchedulerBounds
  readonly #flushEndpoints: () => void
  readonly #flushStructure: () => Steps<void>
  #endpointsPending = false
  #endpointsFlushedAt = -Infinity
  /** When structure changed first since the last flush began. Nothing was ever flushed: since always. */
  #structureSince: number | undefined = -Infinity
  #running: Promise<void> | undefined
  #cancelStructure: (() => void) | undefined
  #cancelEndpoints: (() => void) | undefined
  #stopped = false

  constructor(timers: Timers, bounds: SchedulerBounds, flush: { endpoints: () => void; structure: () => Steps<void> }) {
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
    if (this.#structureSince === undefined || this.#structureSince === -Infinity) this.#structureSince = now
    const untilCap = Math.max(0, this.#structureSince + this.#bounds.structureCapMs - now)
    this.#cancelStructure?.()
    this.#cancelStructure = this.#timers.after(Math.min(this.#bounds.structureQuietMs, untilCap), () => {
      void this.flushStructureNow()
    })
  }

  /** For the start, where nobody gains from waiting. Resolves when all that changed until now is flushed. */
  flushStructureNow(): Promise<void> {
    // A run that is under way has not seen the latest change.
    if (this.#running !== undefined) return this.#running.then(() => this.flushStructureNow())
    if (this.#structureSince === undefined || this.#stopped) return Promise.resolve()
    this.#cancelStructure?.()
    this.#cancelStructure = undefined
    this.#structureSince = undefined
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#running = promise
    this.#advance(this.#flushStructure(), () => {
      this.#running = undefined
      resolve(undefined)
    })
    return promise
  }

  stop(): void {
    this.#stopped = true
    this.#cancelStructure?.()
    this.#cancelEndpoints?.()
  }

  #advance(steps: Steps<void>, done: () => void): void {
    const until = this.#timers.now() + sliceMs
    while (!this.#stopped) {
      if (steps.next().done === true) break
      if (this.#timers.now() < until) continue
      this.#timers.after(0, () => this.#advance(steps, done))
      return
    }
    done()
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
