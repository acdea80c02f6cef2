import { errorText } from '../model/errors.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import { BackOff } from './back-off.ts'
import type { Clock, SourceContext, SourceInstance, SourceLog, Wanted } from './contract.ts'
import { FreshnessLog } from './freshness-log.ts'
import type { SourceStatus } from './status.ts'

/** Where a source's groups go: the endpoint table. */
export interface GroupSink {
  apply(source: { readonly name: string; readonly type: string }, groups: readonly EndpointGroup[], receivedAt: number): void
  prune(source: string, keep: ReadonlySet<string>, receivedAt: number): number
  countOf(source: string): { services: number; endpoints: number }
}

export interface HostGiven {
  readonly sink: GroupSink
  readonly wanted: Wanted
  readonly clock: Clock
  readonly random: () => number
}

/** Errors under this many ms after a run's start do not reset its back-off. */
const settledMs = 10_000

/**
 * Keeps one source running until `stop`: restarts it with back-off and jitter, drops what a run emits after it was replaced (fencing), and
 * after a completed resync deletes the groups the run did not repeat. A failure takes nothing away: the table keeps what is there.
 */
export class SourceRun {
  readonly name: string
  readonly type: string
  readonly #instance: SourceInstance
  readonly #log: SourceLog
  readonly #given: HostGiven
  readonly #onTold: () => void
  readonly #freshness = new FreshnessLog()
  readonly #stopped = new AbortController()
  #current: AbortController | undefined
  #done: Promise<void> = Promise.resolve()
  #synced = false
  #warmUntil = -Infinity
  #restarts = 0

  constructor(source: { name: string; type: string; instance: SourceInstance; log: SourceLog }, given: HostGiven, onTold: () => void) {
    this.name = source.name
    this.type = source.type
    this.#instance = source.instance
    this.#log = source.log
    this.#given = given
    this.#onTold = onTold
  }

  get synced(): boolean {
    return this.#synced
  }

  /** How much of what exists it may have told: nothing, a part that grows by itself, or all. */
  get told(): 'nothing' | 'part' | 'all' {
    if (!this.#synced) return 'nothing'
    return this.#given.clock.now() < this.#warmUntil ? 'part' : 'all'
  }

  start(): void {
    this.#done = this.#keepRunning()
  }

  /** Ends the source; resolves when its run returned. What it told stays in the table. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#current?.abort()
    await this.#done
  }

  /** Ends the current run, so that the next one reads everything anew. */
  resync(): void {
    this.#current?.abort()
  }

  status(): SourceStatus {
    const { clock, sink } = this.#given
    const success = this.#freshness.lastSuccess
    const maxQuietMs = (this.#instance.maxQuietSeconds ?? Infinity) * 1000
    return {
      name: this.name,
      type: this.type,
      state: this.#freshness.state(this.#synced, clock.now(), maxQuietMs),
      lastSuccess: success?.wall,
      ageSeconds: success === undefined ? undefined : (clock.now() - success.mono) / 1000,
      error: this.#freshness.error,
      notices: this.#freshness.notices,
      ...sink.countOf(this.name),
      held: 0,
      restarts: this.#restarts,
    }
  }

  async #keepRunning(): Promise<void> {
    const { clock, random } = this.#given
    const backOff = new BackOff(500, 30_000)
    while (!this.#stopped.signal.aborted) {
      const startedAt = clock.now()
      const run = new AbortController()
      this.#current = run
      let failure: unknown = new Error('the source ended by itself')
      try {
        await this.#instance.source.run(this.#context(run.signal))
      } catch (error) {
        failure = error
      }
      // Aborted from outside: stopped, or a resync, which starts again at once. Otherwise nothing of this run may still arrive.
      if (run.signal.aborted) continue
      run.abort()
      if (clock.now() - startedAt > settledMs) backOff.reset()
      this.#report({ ok: false, code: 'source-failed', error: errorText(failure) })
      const delay = backOff.next(random())
      this.#log.warn(
        { source: this.name, error: errorText(failure), retryInMs: Math.round(delay) },
        'source failed, its last good endpoints stay',
      )
      this.#restarts++
      await clock.sleep(delay, this.#stopped.signal)
    }
  }

  #context(signal: AbortSignal): SourceContext {
    const { sink, wanted, clock, random } = this.#given
    const seen = new Set<string>()
    return {
      signal,
      wanted,
      clock,
      random,
      log: this.#log,
      emit: (groups, receivedAt = clock.now()) => {
        if (signal.aborted) return
        for (const group of groups) {
          if (group.endpoints.length === 0) seen.delete(group.id)
          else seen.add(group.id)
        }
        sink.apply(this, groups, receivedAt)
      },
      synced: ({ warmingMs = 0 } = {}) => {
        if (signal.aborted) return
        const pruned = sink.prune(this.name, seen, clock.now())
        if (pruned > 0) this.#log.info({ source: this.name, pruned }, 'groups that the source no longer has were removed')
        this.#report({ ok: true })
        if (this.#synced) return
        this.#synced = true
        if (warmingMs > 0) this.#warm(warmingMs)
        this.#onTold()
      },
      report: freshness => {
        if (!signal.aborted) this.#report(freshness)
      },
    }
  }

  #warm(ms: number): void {
    const { clock } = this.#given
    this.#warmUntil = clock.now() + ms
    this.#log.info({ source: this.name, seconds: ms / 1000 }, 'what exists is waited for to announce itself; Envoys keep what they have')
    void clock.sleep(ms, this.#stopped.signal).then(() => {
      if (this.#stopped.signal.aborted) return
      this.#warmUntil = -Infinity
      this.#onTold()
    })
  }

  #report(freshness: Parameters<FreshnessLog['report']>[0]): void {
    this.#freshness.report(freshness, { mono: this.#given.clock.now(), wall: this.#given.clock.wall() })
  }
}
