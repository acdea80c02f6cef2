import { errorText } from '../model/errors.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { PoolGuards, SourceGuards } from '../model/pool-rule.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { BackOff } from './back-off.ts'
import type { Clock, SourceContext, SourceInstance, SourceLog, Wanted } from './contract.ts'
import { FreshnessLog } from './freshness-log.ts'
import { type GuardBounds, guardBounds } from './guard-bounds.ts'
import { type GroupSink, GuardedSink } from './guarded-sink.ts'
import type { RefusedAddresses } from './refused-addresses.ts'
import type { LeftOut, SourceStatus } from './status.ts'

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
  /** What its address rules refused. */
  readonly refused?: Pick<RefusedAddresses, 'of'>
}

/** What was known of a source before the gateway started: groups, as suspect, and when they were confirmed (wall clock ms), or why there are none. */
export type KnownBefore = { readonly groups: readonly EndpointGroup[]; readonly confirmedAt: number } | { readonly notice: string }

/** A source that was not read for so long while it fails is believed after the others: long enough for a restart of a registry. */
const staleMs = 30_000

/** The age of a source that fails is looked at this often, as rules of ServicePools come and go. */
const ageCheckMs = 60_000

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
  readonly #bounds: GuardBounds
  readonly #poolBounds = new WeakMap<PoolGuards, GuardBounds>()
  /** When what was known before the start was confirmed, on the monotonic clock: the wall clock may be set meanwhile. */
  readonly #knownSince: number | undefined
  /** Ends the watch on its age. */
  #aging: AbortController | undefined
  readonly #refused: HostedSource['refused']
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
    this.#bounds = guardBounds(source.guards)
    this.#sink = new GuardedSink({
      source,
      sink: given.sink,
      clock: given.clock,
      random: given.random,
      boundsOf: service => this.#boundsOf(service === undefined ? undefined : given.guardsOf?.(service)),
      signal: this.#stopped.signal,
      onDoubt: () => this.resync(),
    })
    this.#known = source.known
    this.#refused = source.refused
    if (this.#known !== undefined && 'groups' in this.#known) {
      const { clock } = given
      this.#knownSince = clock.now() - Math.max(0, clock.wall() - this.#known.confirmedAt)
      this.#sink.emit(this.#known.groups, clock.now(), 'explicit')
    }
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
    const ageMs = this.#ageMs
    const ownNotices = this.#known !== undefined && 'notice' in this.#known && !this.#synced ? [this.#known.notice] : []
    const maxQuietMs = (this.#instance.maxQuietSeconds ?? Infinity) * 1000
    return {
      name: this.name,
      type: this.type,
      state: this.#freshness.state(this.#synced, clock.now(), maxQuietMs, this.#bounds.maxStaleSeconds * 1000),
      lastSuccess: success?.wall ?? before,
      ageSeconds: ageMs === undefined ? undefined : ageMs / 1000,
      error: this.#freshness.error,
      notices: [...ownNotices, ...this.#freshness.notices],
      ...sink.countOf(this.name),
      held: this.#sink.held,
      holds: this.#sink.holds(),
      restarts: this.#restarts,
      ...(this.#instance.watches === undefined ? {} : { watches: this.#instance.watches() }),
    }
  }

  /** What it names, or named, at an address and does not have in the table. */
  leftOut(address: string): readonly LeftOut[] {
    const refused = this.#refused?.of(address)
    const dropped = this.#sink
      .dropped()
      .filter(one => one.endpoint.address === address || one.endpoint.additionalAddresses.includes(address))
    return [
      ...(refused === undefined
        ? []
        : [
            {
              ...{ source: this.name, code: 'address-refused' as const, service: undefined, port: undefined },
              text: `${this.name} named ${address}, last at ${new Date(refused.at).toISOString()}, and it was refused: ${refused.text}`,
            },
          ]),
      ...dropped.map(({ service, endpoint }) => ({
        ...{ source: this.name, code: 'source-expired' as const, service, port: endpoint.port },
        text: `${this.name} named it, was not read for longer than guards.maxStaleSeconds, and what it knew was dropped (guards.onStale)`,
      })),
    ]
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

  #boundsOf(pool: PoolGuards | undefined): GuardBounds {
    if (pool === undefined) return this.#bounds
    let bounds = this.#poolBounds.get(pool)
    if (bounds === undefined) this.#poolBounds.set(pool, (bounds = guardBounds(this.#guards, pool)))
    return bounds
  }

  /** How long nothing was read, by the monotonic clock; undefined: nothing was ever known. */
  get #ageMs(): number | undefined {
    const since = this.#freshness.lastSuccess?.mono ?? this.#knownSince
    return since === undefined ? undefined : this.#given.clock.now() - since
  }

  /** While the source fails: believes others before it, then degrades or drops what was not read for too long, where that is asked for. */
  async #watchAge(signal: AbortSignal): Promise<void> {
    const { clock, sink } = this.#given
    const isOver = (): boolean => signal.aborted
    for (let ageMs = this.#ageMs; ageMs !== undefined && !isOver(); ageMs = this.#ageMs) {
      sink.setStale(this.name, ageMs >= staleMs, clock.now())
      const next = Math.min(this.#sink.age(ageMs), ageMs < staleMs ? staleMs : Infinity)
      // A bound is passed once the age is over it.
      await clock.sleep(Math.min(ageCheckMs, next - ageMs + 1), signal)
    }
  }

  #report(freshness: Parameters<FreshnessLog['report']>[0]): void {
    const { clock, sink } = this.#given
    if (this.#freshness.report(freshness, { mono: clock.now(), wall: clock.wall() })) {
      this.#aging?.abort()
      this.#aging = undefined
      this.#sink.renew()
      sink.setStale(this.name, false, clock.now())
    } else if (this.#freshness.isFailing && this.#aging === undefined) {
      this.#aging = new AbortController()
      void this.#watchAge(AbortSignal.any([this.#aging.signal, this.#stopped.signal]))
    }
  }
}
