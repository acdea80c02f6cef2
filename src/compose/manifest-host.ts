import { BackOff } from '../discovery/back-off.ts'
import type { Clock, SourceLog } from '../discovery/contract.ts'
import { annotatedManifests } from '../manifests/annotation.ts'
import type { ManifestContext, ManifestSource } from '../manifests/contract.ts'
import type { ManifestRun } from '../manifests/store.ts'
import { toManifests } from '../manifests/to-manifest.ts'
import { errorText } from '../model/errors.ts'

export interface ManifestHostGiven {
  readonly secrets: ManifestContext['secrets']
  readonly statuses: ManifestContext['statuses']
  readonly begin: (source: string) => ManifestRun
  readonly forget: (source: string) => void
  readonly clock: Clock
  readonly random: () => number
  readonly log: SourceLog
  /** Is called when a source completes its first read. */
  readonly onSynced: () => void
}

interface Running {
  readonly stop: AbortController
  readonly done: Promise<void>
  synced: boolean
}

/** Keeps the sources of manifests running, as SourceHost does for endpoints; the store does the fencing. */
export class ManifestHost {
  readonly #given: ManifestHostGiven
  readonly #running = new Map<string, Running>()

  constructor(given: ManifestHostGiven) {
    this.#given = given
  }

  add(name: string, source: ManifestSource): void {
    const stop = new AbortController()
    const running: Running = { stop, synced: false, done: this.#keepRunning(name, source, stop.signal) }
    this.#running.set(name, running)
  }

  /** Stops a source and forgets its objects. */
  async remove(name: string): Promise<void> {
    const running = this.#running.get(name)
    if (running === undefined) return
    this.#running.delete(name)
    running.stop.abort()
    await running.done
    this.#given.forget(name)
  }

  async stop(): Promise<void> {
    for (const { stop } of this.#running.values()) stop.abort()
    await Promise.all([...this.#running.values()].map(running => running.done))
  }

  get allSynced(): boolean {
    return [...this.#running.values()].every(running => running.synced)
  }

  async #keepRunning(name: string, source: ManifestSource, signal: AbortSignal): Promise<void> {
    const { begin, clock, random, log, onSynced, secrets, statuses } = this.#given
    const over = (): boolean => signal.aborted
    const backOff = new BackOff(500, 30_000)
    // The first run begins after `add` has filed this source.
    await Promise.resolve()
    while (!over()) {
      const run = begin(name)
      const synced = (): void => {
        run.synced()
        backOff.reset()
        const running = this.#running.get(name)
        if (running === undefined || running.synced) return
        running.synced = true
        onSynced()
      }
      try {
        await source.run({ signal, emit: groups => run.emit(groups), synced, read: readObject, secrets, statuses, log, clock, random })
      } catch (error) {
        if (over()) return
        log.warn({ manifests: name, error: errorText(error) }, 'manifests cannot be read; the last good ones stay')
      }
      if (!over()) await clock.sleep(backOff.next(random()), signal)
    }
  }
}

/** An object of the Kubernetes API, and those in its annotation. Objects of the whole cluster stand in the namespace `default` here. */
function readObject(value: unknown, at: string): ReturnType<ManifestContext['read']> {
  const read = toManifests(value, { namespace: 'default', locate: () => at })
  const annotated = read.objects.map(annotatedManifests)
  return {
    objects: [...read.objects, ...annotated.flatMap(one => one.objects)],
    problems: [...read.problems, ...annotated.flatMap(one => one.problems)],
  }
}
