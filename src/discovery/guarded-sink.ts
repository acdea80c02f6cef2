import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { Endpoint } from '../model/endpoint.ts'
import { agedGroup } from './aged-group.ts'
import type { Clock, RemovalCause } from './contract.ts'
import { type GuardedTable, type GuardHold, SourceGuard } from './guard.ts'
import type { GuardBounds } from './guard-bounds.ts'
import { keepSame } from './keep-same.ts'
import type { ServiceKey } from '../model/service-key.ts'

/** Where a source's groups go: the endpoint table. */
export interface GroupSink extends GuardedTable {
  apply(source: { readonly name: string; readonly type: string }, groups: readonly EndpointGroup[], receivedAt: number): void
  prune(source: string, keep: ReadonlySet<string>, receivedAt: number): number
  countOf(source: string): { services: number; endpoints: number }
  groupsOf(source: string): Iterable<EndpointGroup>
  /** Whether nothing was read of a source of late, so that others are believed before it. */
  setStale(source: string, isStale: boolean, receivedAt: number): void
}

export interface GuardedSinkGiven {
  readonly source: { readonly name: string; readonly type: string }
  readonly sink: GroupSink
  readonly clock: Clock
  readonly random: () => number
  /** Of a service, or of the source as a whole. */
  readonly boundsOf: (service: ServiceKey | undefined) => GuardBounds
  /** Ends the timer. */
  readonly signal: AbortSignal
  /** Something is held that a further read would confirm or bring back. */
  readonly onDoubt: () => void
}

/** The way of one source's groups into the table, through its guard; and what becomes of them when the source is gone for too long. */
export class GuardedSink {
  readonly #given: GuardedSinkGiven
  readonly #guard: SourceGuard
  /** What counts as expired: groups as they were before that, and what became of them. */
  readonly #aged = new Map<string, { readonly group: EndpointGroup; readonly policy: 'degrade' | 'drop' }>()
  #wakeAt = Infinity
  #woken = new AbortController()

  constructor(given: GuardedSinkGiven) {
    this.#given = given
    const { source, sink, random, boundsOf } = given
    this.#guard = new SourceGuard({ source: source.name, table: sink, random, boundsOf })
  }

  emit(groups: readonly EndpointGroup[], receivedAt: number, cause: RemovalCause): void {
    const { source, sink, clock } = this.#given
    if (this.#aged.size > 0) this.renew()
    const said = groups.map(group => keepSame(sink.group(source.name, group.id), group))
    const passed = this.#guard.pass(said, cause, clock.now())
    sink.apply(source, passed, receivedAt)
    // The same list: nothing is held that was not held before.
    if (passed !== said) this.#schedule()
  }

  /** A read that began at `begunAt` is complete: what it did not repeat goes, through the guard. Gives how many groups. */
  complete(seen: ReadonlySet<string>, begunAt: number, cause: RemovalCause): number {
    const { source, sink, clock } = this.#given
    const gone: EndpointGroup[] = []
    for (const { id, service } of sink.groupsOf(source.name)) {
      if (!seen.has(id) && !this.#guard.isGone({ id, service })) gone.push({ id, service, endpoints: [] })
    }
    this.emit(gone, clock.now(), cause)
    sink.apply(source, this.#guard.confirmed(begunAt), clock.now())
    this.#schedule()
    return gone.length
  }

  /** Believes the source in all that is held; gives how many endpoints that concerns. */
  release(): number {
    const count = this.#guard.held
    this.#given.sink.apply(this.#given.source, this.#guard.release(), this.#given.clock.now())
    return count
  }

  get held(): number {
    return this.#guard.held
  }

  holds(): readonly GuardHold[] {
    return this.#guard.holds(this.#given.clock.now())
  }

  /**
   * Nothing was read of the source for so long (ms): endpoints of services that may not be that old are degraded or dropped, if its settings or
   * their ServicePool say so (reference/discovery.md 5.6). Gives the age at which there is more to do; Infinity: never.
   */
  age(ageMs: number): number {
    const { source, sink, clock, boundsOf } = this.#given
    const changed: EndpointGroup[] = []
    let next = Infinity
    const judge = (group: EndpointGroup): void => {
      const { maxStaleSeconds, onStale } = boundsOf(group.service)
      const isOver = ageMs > maxStaleSeconds * 1000
      if (!isOver && onStale !== 'keep') next = Math.min(next, maxStaleSeconds * 1000)
      const policy = isOver && onStale !== 'keep' ? onStale : undefined
      if (this.#aged.get(group.id)?.policy === policy) return
      if (policy === undefined) this.#aged.delete(group.id)
      else this.#aged.set(group.id, { group, policy })
      changed.push(policy === undefined ? group : agedGroup(group, policy, source.name))
    }
    const before = [...this.#aged.values()]
    for (const group of sink.groupsOf(source.name)) if (!this.#aged.has(group.id)) judge(group)
    for (const { group } of before) judge(group)
    if (changed.length > 0) sink.apply(source, changed, clock.now())
    return next
  }

  /** What was dropped for its age. */
  dropped(): readonly { readonly service: ServiceKey; readonly endpoint: Endpoint }[] {
    return [...this.#aged.values()].flatMap(({ group: { service, endpoints }, policy }) =>
      policy === 'drop' ? endpoints.map(endpoint => ({ service, endpoint })) : [],
    )
  }

  /** The source is heard of again: what it said before is in force until it says something else. */
  renew(): void {
    if (this.#aged.size === 0) return
    const former = [...this.#aged.values()].map(({ group }) => group)
    this.#aged.clear()
    this.#given.sink.apply(this.#given.source, former, this.#given.clock.now())
  }

  /** One timer, for what is held next. */
  #schedule(): void {
    const at = this.#guard.nextAt
    if (at >= this.#wakeAt) return
    this.#wakeAt = at
    this.#woken.abort()
    this.#woken = new AbortController()
    const { clock, signal } = this.#given
    const woken = this.#woken.signal
    void clock.sleep(Math.max(0, at - clock.now()), AbortSignal.any([signal, woken])).then(() => {
      if (signal.aborted || woken.aborted) return
      this.#wakeAt = Infinity
      const { released, reread } = this.#guard.due(clock.now())
      this.#given.sink.apply(this.#given.source, released, clock.now())
      this.#schedule()
      if (reread) this.#given.onDoubt()
    })
  }
}
