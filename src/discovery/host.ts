import { type HostedSource, type HostGiven, SourceRun } from './source-run.ts'
export type { HostedSource } from './source-run.ts'
import type { LeftOut, SourcesReader, SourceStatus } from './status.ts'

/** A source that has told nothing yet, or a part that grows by itself. */
export interface IncompleteSource {
  readonly name: string
  readonly type: string
  readonly told: 'nothing' | 'part'
}

/** Runs all sources, each on its own: none waits for, or fails with, another. */
export class SourceHost implements SourcesReader {
  readonly #given: HostGiven
  readonly #onTold: () => void
  readonly #runs = new Map<string, SourceRun>()
  #incomplete: readonly IncompleteSource[] | undefined

  /** `onTold` is called whenever there is less left to be told: a source's first sync, the end of its warming, its removal. */
  constructor(given: HostGiven, onTold: () => void) {
    this.#given = given
    this.#onTold = () => {
      this.#incomplete = undefined
      onTold()
    }
  }

  /** Starts a source under a name not in use. */
  add(source: HostedSource): void {
    if (this.#runs.has(source.name)) throw new Error(`source "${source.name}" is already running`)
    const run = new SourceRun(source, this.#given, this.#onTold)
    this.#runs.set(source.name, run)
    this.#incomplete = undefined
    run.start()
  }

  /** Stops a source and takes what it told out of the table. */
  async remove(name: string): Promise<void> {
    const run = this.#runs.get(name)
    if (run === undefined) return
    this.#runs.delete(name)
    this.#incomplete = undefined
    await run.stop()
    const { sink, clock } = this.#given
    sink.prune(name, new Set(), clock.now())
    sink.setStale(name, false, clock.now())
    this.#onTold()
  }

  /** Puts a source in the place of the one of its name. What that one told stays until the new one has been read. */
  async replace(source: HostedSource): Promise<void> {
    await this.#runs.get(source.name)?.stop()
    this.#runs.delete(source.name)
    this.add(source)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#runs.values()].map(run => run.stop()))
  }

  statuses(): readonly SourceStatus[] {
    return [...this.#runs.values()].map(run => run.status())
  }

  leftOut(address: string): readonly LeftOut[] {
    return [...this.#runs.values()].flatMap(run => run.leftOut(address))
  }

  resync(name: string): boolean {
    const run = this.#runs.get(name)
    run?.resync()
    return run !== undefined
  }

  /** Sources that have not told all that exists yet. Usually the same empty list. */
  get incomplete(): readonly IncompleteSource[] {
    this.#incomplete ??= [...this.#runs.values()].flatMap(({ name, type, told }) => (told === 'all' ? [] : [{ name, type, told }]))
    return this.#incomplete
  }

  releaseGuard(name: string): number | undefined {
    return this.#runs.get(name)?.releaseGuard()
  }

  /** Of every source something is known: it was read, or remembered from before the start. */
  get allKnown(): boolean {
    return [...this.#runs.values()].every(run => run.isKnown)
  }

  get allSynced(): boolean {
    return [...this.#runs.values()].every(run => run.synced)
  }
}
