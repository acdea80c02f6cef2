import { errorText } from '../model/errors.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { PoolGuards, SourceGuards } from '../model/pool-rule.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { BackOff } from './back-off.ts'
import type { Clock, SourceContext, SourceInstance, SourceLog, Wanted } from './contract.ts'
import { FreshnessLog } from './freshness-log.ts'
import { type GuardBounds, guardBounds } from './guard-bounds.ts'
import { type GroupSink, GuardedSink } from './guarded-sink.ts'
import type { SourceStatus } from './status.ts'

export interface HostGiven {
  readonly sink: GroupSink
  readonly wanted: Wanted
  readonly clock: Clock
  readonly random: () => number
  /** What a ServicePool says about the guards of a service; default: nothing. */
  readonly guardsOf?: (service: ServiceKey) => PoolGuards | undefined
}

/** A source with what it runs by. */
export interface HostedSource {
  readonly name: string
  readonly type: string
  readonly instance: SourceInstance
  readonly log: SourceLog
  readonly guards?: SourceGuards
  readonly known?: KnownBefore
}

/** What was known of a source before the gateway started: groups, as suspect, and when they were confirmed (wall clock ms), or why there are none. */
export type KnownBefore = { readonly groups: readonly EndpointGroup[]; readonly confirmedAt: number } | { readonly notice: string }

/** How often the age of a source is looked at. */
const ageCheckMs = 1000

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
  readonly #sink: GuardedSink
  readonly #guards: SourceGuards | undefined
  readonly #known: KnownBefore | undefined
  readonly #stopped = new AbortController()
  #current: AbortController | undefined
  #done: Promise<void> = Promise.resolve()
  #synced = false
  #warmUntil = -Infinity
  #restarts = 0

  constructor(source: HostedSource, given: HostGiven, onTold: () => void) {
    this.name = source.name
    this.type = source.type
    this.#instance = source.instance
    this.#log = source.log
    this.#given = given
    this.#onTold = onTold
    this.#guards = source.guards
    this.#sink = new GuardedSink({
      source,
      sink: given.sink,
      clock: given.clock,
      random: given.random,
      boundsOf: service => guardBounds(this.#guards, service === undefined ? undefined : given.guardsOf?.(service)),
      signal: this.#stopped.signal,
      onDoubt: () => this.resync(),
    })
    this.#known = source.known
    if (this.#known !== undefined && 'groups' in this.#known) this.#sink.emit(this.#known.groups, given.clock.now(), 'explicit')
  }

  get synced(): boolean {
    return this.#synced
  }

  /** It was read, or what it said before the gateway started is in force. */
  get isKnown(): boolean {
    return this.#synced || (this.#known !== undefined && 'groups' in this.#known)
  }

  /** How much of what exists it may have told: nothing, a part that grows by itself, or all. */
  get told(): 'nothing' | 'part' | 'all' {
    if (!this.#synced) return 'nothing'
    return this.#given.clock.now() < this.#warmUntil ? 'part' : 'all'
  }

  start(): void {
    void this.#watchAge()
    this.#done = this.#keepRunning()
  }

  /** Ends the source; resolves when its run returned. What it told stays in the table. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#current?.abort()
    await this.#done
  }

  /** Believes the source in all that its guard holds; gives how many endpoints that concerns. */
  releaseGuard(): number {
    return this.#sink.release()
  }

  /** Ends the current run, so that the next one reads everything anew. */
  resync(): void {
    this.#current?.abort()
  }

  status(): SourceStatus {
    const { clock, sink } = this.#given
    const success = this.#freshness.lastSuccess
    const before = this.#known !== undefined && 'groups' in this.#known ? this.#known.confirmedAt : undefined
    const ownNotices = this.#known !== undefined && 'notice' in this.#known && !this.#synced ? [this.#known.notice] : []
    const maxQuietMs = (this.#instance.maxQuietSeconds ?? Infinity) * 1000
    return {
      name: this.name,
      type: this.type,
      state: this.#freshness.state(this.#synced, clock.now(), maxQuietMs, this.#bounds.maxStaleSeconds * 1000),
      lastSuccess: success?.wall ?? before,
      ageSeconds:
        success !== undefined ? (clock.now() - success.mono) / 1000 : before === undefined ? undefined : (clock.wall() - before) / 1000,
      error: this.#freshness.error,
      notices: [...ownNotices, ...this.#freshness.notices],
      ...sink.countOf(this.name),
      held: this.#sink.held,
      holds: this.#sink.holds(),
      restarts: this.#restarts,
      ...(this.#instance.watches === undefined ? {} : { watches: this.#instance.watches() }),
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
    const { wanted, clock, random } = this.#given
    const seen = new Set<string>()
    const begunAt = clock.now()
    return {
      signal,
      wanted,
      clock,
      random,
      log: this.#log,
      emit: (groups, receivedAt = clock.now(), cause = 'absent') => {
        if (signal.aborted) return
        for (const group of groups) {
          if (group.endpoints.length === 0) seen.delete(group.id)
          else seen.add(group.id)
        }
        this.#sink.emit(groups, receivedAt, cause)
      },
      synced: ({ warmingMs = 0, cause = 'absent' } = {}) => {
        if (signal.aborted) return
        const pruned = this.#sink.complete(seen, begunAt, cause)
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

  get #bounds(): GuardBounds {
    return guardBounds(this.#guards)
  }

  /** Degrades or drops what was not read for too long, where the settings ask for that. */
  async #watchAge(): Promise<void> {
    const { onStale, maxStaleSeconds } = this.#bounds
    if (onStale === 'keep') return
    const { clock } = this.#given
    const isOver = (): boolean => this.#stopped.signal.aborted
    while (!isOver()) {
      await clock.sleep(ageCheckMs, this.#stopped.signal)
      if (isOver() || !this.#freshness.isExpired(clock.now(), maxStaleSeconds * 1000)) continue
      this.#sink.expire(onStale)
    }
  }

  #report(freshness: Parameters<FreshnessLog['report']>[0]): void {
    if (freshness.ok) this.#sink.renew()
    this.#freshness.report(freshness, { mono: this.#given.clock.now(), wall: this.#given.clock.wall() })
  }
}
