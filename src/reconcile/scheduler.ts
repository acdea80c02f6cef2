import type { Steps } from '../model/steps.ts'
import { inSlices } from '../model/in-slices.ts'
import type { Timers } from './timers.ts'

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
  /** The structure flush under way. */
  #steps: Steps<void> | undefined
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
    const steps = this.#flushStructure()
    this.#steps = steps
    // Not before the next microtask: a flush may lead back here, and has to find itself under way.
    this.#running = Promise.resolve()
      .then(() => inSlices(steps, this.#timers))
      .finally(() => {
        this.#steps = undefined
        this.#running = undefined
      })
    return this.#running
  }

  stop(): void {
    this.#stopped = true
    this.#steps?.return()
    this.#cancelStructure?.()
    this.#cancelEndpoints?.()
  }
}
