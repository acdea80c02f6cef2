import type { SourceInstance, SourceLog } from './contract.ts'
import { type HostGiven, SourceRun } from './source-run.ts'
import type { SourcesReader, SourceStatus } from './status.ts'

export interface HostedSource {
  readonly name: string
  readonly type: string
  readonly instance: SourceInstance
  readonly log: SourceLog
}

/** Runs all sources, each on its own: none waits for, or fails with, another. */
export class SourceHost implements SourcesReader {
  readonly #given: HostGiven
  readonly #onSynced: () => void
  readonly #runs = new Map<string, SourceRun>()

  /** `onSynced` is called whenever a source completes its first sync. */
  constructor(given: HostGiven, onSynced: () => void) {
    this.#given = given
    this.#onSynced = onSynced
  }

  /** Starts a source under a name not in use. */
  add(source: HostedSource): void {
    if (this.#runs.has(source.name)) throw new Error(`source "${source.name}" is already running`)
    const run = new SourceRun(source, this.#given, this.#onSynced)
    this.#runs.set(source.name, run)
    run.start()
  }

  /** Stops a source and takes what it told out of the table. */
  async remove(name: string): Promise<void> {
    const run = this.#runs.get(name)
    if (run === undefined) return
    this.#runs.delete(name)
    await run.stop()
    this.#given.sink.prune(name, new Set(), this.#given.clock.now())
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#runs.values()].map(run => run.stop()))
  }

  statuses(): readonly SourceStatus[] {
    return [...this.#runs.values()].map(run => run.status())
  }

  resync(name: string): boolean {
    const run = this.#runs.get(name)
    run?.resync()
    return run !== undefined
  }

  get allSynced(): boolean {
    return [...this.#runs.values()].every(run => run.synced)
  }
}
