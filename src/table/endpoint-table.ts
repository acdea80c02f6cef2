import type { Steps } from '../model/steps.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { Override } from '../model/override.ts'
import type { PoolRule } from '../model/pool-rule.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { type Finish, finishPool, firstGone } from './finish-pool.ts'
import { joinFamilies } from './join-families.ts'
import { mergePool, rerank } from './merge.ts'
import { changesOf, copyOf, type Pool, type Shard } from './pool-groups.ts'
import type { PoolView, TableChange, TableReader } from './reader.ts'
import { type MergedChange, ReusedAddresses } from './reused-addresses.ts'
import { basesOf, type RuledPool, RuledPools } from './ruled-pools.ts'
import { type Trust, trustOrder } from './trust.ts'

/** What the table needs of the world: time, for the drain windows of pools, and what operators decided. */
export interface TableGiven {
  /** Milliseconds, monotonic. */
  readonly now: () => number
  /** Runs `task` after `ms`; the result cancels it. */
  readonly after: (ms: number, task: () => void) => () => void
  /**
   * Overrides of a service by `ADDRESS PORT` (`addressKey`); none: undefined. The same decision is the same object each time. Whoever
   * changes them tells by `overridesChanged`.
   */
  readonly overrides?: (service: ServiceKey) => ReadonlyMap<string, Override> | undefined
  /** Names or types of sources, most trusted first; those that it leaves out follow in the usual order. */
  readonly trust?: readonly string[]
  /** Whether the gateway itself listens at an address and port; whoever changes that tells by `gatewayMoved`. */
  readonly isGateway?: (address: string, port: number) => boolean
}

/** A request that is sent there comes back for ever. */
const ownListener = { code: 'gateway-loop', text: "it is the gateway's own listener" }

/** Without time nothing lingers: what is gone is gone at once. */
const timeless: TableGiven = { now: () => 0, after: () => () => undefined }

/**
 * The single owner of all endpoints. `apply` swaps groups and marks pools; `settle` merges the marked ones and tells who listens.
 * The two are apart so that a burst of groups of one service is merged once.
 */
export class EndpointTable implements TableReader {
  readonly #pools = new Map<ServiceKey, Pool>()
  /** Which service each group of a source is filed under, to take it out of there when it moves or goes. */
  readonly #homes = new Map<string, Map<string, ServiceKey>>()
  readonly #dirty = new Set<Pool>()
  readonly #listeners = new Set<(change: TableChange) => void>()
  readonly #onDirty: () => void
  readonly #given: TableGiven
  /** Sources of which nothing was read of late. */
  readonly #stale = new Set<string>()
  readonly #trust: Trust
  #reused = new ReusedAddresses()
  #ruled = new RuledPools()
  /** Pools with endpoints that drain, and when the first of each is to be dropped. */
  readonly #lingering = new Map<RuledPool, number>()
  #dropAt = Infinity
  #cancelDrop: (() => void) | undefined
  #dirtySince = Infinity
  #revision = 1
  #endpoints = 0

  /** `onDirty` is called after every `apply` that marked something: it schedules `settle`. */
  constructor(onDirty: () => void, given: TableGiven = timeless) {
    this.#onDirty = onDirty
    this.#given = given
    this.#trust = trustOrder(given.trust ?? [], source => this.#stale.has(source))
  }

  get revision(): number {
    return this.#revision
  }

  get size(): { services: number; endpoints: number } {
    this.settle()
    let services = this.#pools.size
    for (const { rule } of this.#ruled.all()) if (!this.#pools.has(rule.service)) services++
    return { services, endpoints: this.#endpoints }
  }

  pool(service: ServiceKey): PoolView | undefined {
    const ruled = this.#ruled.get(service)
    if (ruled === undefined) return this.base(service)
    if (this.#isDirty) this.settle()
    return ruled.view
  }

  base(service: ServiceKey): PoolView | undefined {
    const pool = this.#pools.get(service)
    if (pool !== undefined && this.#dirty.has(pool)) this.settle()
    return pool?.view
  }

  basesOf(service: ServiceKey): readonly ServiceKey[] {
    const ruled = this.#ruled.get(service)
    return ruled === undefined ? [service] : basesOf(ruled.rule)
  }

  *pools(): Iterable<PoolView> {
    this.settle()
    for (const { service, view } of this.#pools.values()) if (view !== undefined && this.#ruled.get(service) === undefined) yield view
    for (const { view } of this.#ruled.all()) if (view !== undefined) yield view
  }

  /** Puts other rules in the place of all; equal ones change nothing. The pools follow at the next `settle`. */
  follow(rules: readonly PoolRule[], receivedAt: number): void {
    for (const pool of this.#ruled.replace(rules, service => this.#pools.get(service)?.view)) {
      const base = this.#entry(pool.rule.service)
      // Seen is what the pool was, until the settling that shows what is behind it.
      base.view = pool.view
      this.#dirty.add(base)
    }
    this.#mark(receivedAt)
  }

  /** Operators decided something about endpoints of these services. */
  overridesChanged(services: Iterable<ServiceKey>, receivedAt: number): void {
    for (const service of services) {
      const ruled = this.#ruled.get(service)
      if (ruled !== undefined) this.#ruled.mark(ruled)
      const pool = this.#pools.get(service)
      if (pool !== undefined) this.#dirty.add(pool)
    }
    this.#mark(receivedAt)
  }

  /**
   * Whether nothing was read of a source of late: where another source knows an endpoint, too, that one decides then (reference/discovery.md
   * 1.2 b, c).
   */
  setStale(source: string, isStale: boolean, receivedAt: number): void {
    if (this.#stale.has(source) === isStale) return
    if (isStale) this.#stale.add(source)
    else this.#stale.delete(source)
    for (const pool of this.#pools.values()) if (pool.shards.has(source)) this.#rankAnew(pool)
    this.#mark(receivedAt)
  }

  #rankAnew(pool: Pool): void {
    this.#ruled.touch(pool.service)
    if (pool.shards.size < 2) return
    pool.isRanked = false
    this.#dirty.add(pool)
  }

  /**
   * A copy that goes its own way, for what-if: what one is told, the other does not know, and nothing lingers in the copy. What is frozen is
   * shared, and groups are read off the merges once they are asked for, so that the copy costs next to nothing however many groups there are.
   */
  fork(overrides: NonNullable<TableGiven['overrides']>): EndpointTable {
    this.settle()
    const { now, after } = timeless
    const copy = new EndpointTable(() => undefined, { ...this.#given, now, after, overrides })
    for (const pool of this.#pools.values()) copy.#pools.set(pool.service, copyOf(pool))
    for (const source of this.#stale) copy.#stale.add(source)
    copy.#ruled = this.#ruled.fork()
    copy.#reused = this.#reused.fork()
    copy.#revision = this.#revision
    copy.#endpoints = this.#endpoints
    return copy
  }

  /** The same as `setStale`, settled too, for a copy that has time: it yields now and then. */
  *turnStale(source: string): Steps<void> {
    this.#stale.add(source)
    let done = 0
    for (const service of this.servicesOf(source)) {
      const pool = this.#pools.get(service)
      if (pool !== undefined) this.#rankAnew(pool)
      if (++done % 10 > 0) continue
      this.settle()
      yield
    }
    this.settle()
  }

  /** The keys under which a source has endpoints. */
  *servicesOf(source: string): Iterable<ServiceKey> {
    for (const { service, merged } of this.#pools.values()) if (merged?.sources.includes(source) === true) yield service
  }

  /** The groups that a source has under a key. */
  groupsIn(source: string, service: ServiceKey): readonly EndpointGroup[] {
    return [...(this.#pools.get(service)?.shards.get(source)?.groups.values() ?? [])]
  }

  /** The gateway listens elsewhere than before. */
  gatewayMoved(receivedAt: number): void {
    for (const pool of this.#pools.values()) this.#dirty.add(pool)
    this.#mark(receivedAt)
  }

  /** Forgets the timer of draining endpoints. */
  close(): void {
    this.#cancelDrop?.()
  }

  onChange(listener: (change: TableChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Replaces groups of one source; a group without endpoints is deleted. `receivedAt`: `clock.now()` when the data arrived. */
  apply(source: { readonly name: string; readonly type: string }, groups: readonly EndpointGroup[], receivedAt: number): void {
    let homes = this.#homes.get(source.name)
    if (homes === undefined) this.#homes.set(source.name, (homes = new Map<string, ServiceKey>()))
    for (const group of groups) {
      const home = homes.get(group.id)
      if (home !== undefined && home !== group.service) this.#put(source, home, group.id, undefined)
      if (group.endpoints.length > 0) homes.set(group.id, group.service)
      else homes.delete(group.id)
      // A service that a source names is known, even if it has no endpoint.
      this.#put(source, group.service, group.id, group.endpoints.length > 0 ? group : undefined)
    }
    this.#mark(receivedAt)
  }

  /** Deletes the groups of a source that `keep` does not hold: what a resync did not repeat (style.md, principle 6). Gives how many. */
  prune(source: string, keep: ReadonlySet<string>, receivedAt: number): number {
    const homes = this.#homes.get(source)
    let pruned = 0
    for (const [id, service] of homes ?? []) {
      if (keep.has(id)) continue
      homes?.delete(id)
      this.#put({ name: source, type: '' }, service, id, undefined)
      pruned++
    }
    this.#mark(receivedAt)
    return pruned
  }

  /** Groups and endpoints that a source has in the table. */
  countOf(source: string): { services: number; endpoints: number } {
    const services = new Set<ServiceKey>()
    let endpoints = 0
    for (const [id, service] of this.#homes.get(source) ?? []) {
      services.add(service)
      endpoints += this.#pools.get(service)?.shards.get(source)?.groups.get(id)?.endpoints.length ?? 0
    }
    return { services: services.size, endpoints }
  }

  /** A group as it was applied last. */
  group(source: string, id: string): EndpointGroup | undefined {
    const service = this.#homes.get(source)?.get(id)
    return service === undefined ? undefined : this.#pools.get(service)?.shards.get(source)?.groups.get(id)
  }

  /** All groups of a source. */
  *groupsOf(source: string): Iterable<EndpointGroup> {
    for (const id of [...(this.#homes.get(source)?.keys() ?? [])]) {
      const group = this.group(source, id)
      if (group !== undefined) yield group
    }
  }

  /** Endpoints that a source has under a service. */
  countIn(source: string, service: ServiceKey): number {
    let count = 0
    for (const { endpoints } of this.#pools.get(service)?.shards.get(source)?.groups.values() ?? []) count += endpoints.length
    return count
  }

  /** Merges what was marked and tells the listeners what changed. Does nothing when nothing was marked. */
  settle(): void {
    if (!this.#isDirty) return
    const receivedAt = this.#dirtySince
    const pools: TableChange['pools'][number][] = []
    const now = this.#given.now()
    const merges = [...this.#dirty].map(pool => this.#merge(pool))
    for (const loser of this.#reused.note(merges, service => this.#pools.get(service)?.joined)) this.#dirty.add(this.#entry(loser))
    for (const pool of this.#dirty) {
      if (pool.joined === undefined) continue
      const hidden = this.#ruled.get(pool.service) !== undefined
      const before = pool.view
      const after = finishPool(pool.joined, before, this.#finish(pool.service, 0, now, this.#barred(pool.service)))
      if (after === before) continue
      pool.view = after
      this.#ruled.touch(pool.service)
      // Behind a ServicePool of its name nobody sees it; what was seen there is the pool's to tell.
      if (!hidden) this.#tell(pools, before, after)
    }
    this.#dirty.clear()
    for (const pool of this.#ruled.derive(service => this.#pools.get(service)?.view, this.#trust)) {
      const { service, drainSeconds } = pool.rule
      const before = pool.view
      const after = finishPool(pool.merged, before, this.#finish(service, drainSeconds * 1000, now))
      if (after === before) continue
      pool.view = after
      this.#tell(pools, before, after)
      const goneAt = firstGone(after)
      if (goneAt === Infinity) this.#lingering.delete(pool)
      else this.#lingering.set(pool, goneAt)
    }
    if (this.#lingering.size > 0 || this.#dropAt < Infinity) this.#watchDraining(now)
    this.#dirtySince = Infinity
    if (pools.length === 0) return
    this.#revision++
    const change: TableChange = { revision: this.#revision, pools, receivedAt }
    for (const listener of this.#listeners) listener(change)
  }

  /** Brings the merge of a pool up to date. */
  #merge(pool: Pool): MergedChange {
    const before = pool.joined
    const former = pool.isRanked === false && pool.merged !== undefined ? rerank(pool.merged, this.#trust) : pool.merged
    pool.merged = mergePool(pool.service, former, changesOf(pool), [...pool.shards.keys()].sort(), this.#trust)
    pool.joined = joinFamilies(pool.merged, before, this.#trust)
    pool.touched = undefined
    pool.isRanked = true
    return { before, after: pool.joined }
  }

  #tell(pools: TableChange['pools'][number][], before: PoolView | undefined, after: PoolView): void {
    this.#endpoints += after.endpoints.length - (before?.endpoints.length ?? 0)
    pools.push({ before, after })
  }

  #finish(service: ServiceKey, drainMs: number, now: number, barred?: Finish['barred']): Finish {
    return { overrides: this.#given.overrides?.(service), barred, drainMs, now }
  }

  /** What is known against endpoints of a service. */
  #barred(service: ServiceKey): Finish['barred'] {
    const { isGateway } = this.#given
    if (isGateway === undefined && this.#reused.isEmpty) return undefined
    return one => (isGateway?.(one.address, one.port) === true ? ownListener : this.#reused.reasonFor(service, one))
  }

  /** Sets the one timer to the first endpoint that is to be dropped. */
  #watchDraining(now: number): void {
    let first = Infinity
    for (const [pool, goneAt] of this.#lingering) {
      if (this.#ruled.get(pool.rule.service) !== pool) this.#lingering.delete(pool)
      else if (goneAt < first) first = goneAt
    }
    if (first === this.#dropAt) return
    this.#dropAt = first
    this.#cancelDrop?.()
    this.#cancelDrop = undefined
    if (first === Infinity) return
    this.#cancelDrop = this.#given.after(first - now, () => {
      this.#dropAt = Infinity
      const at = this.#given.now()
      for (const [pool, goneAt] of this.#lingering) if (goneAt <= at) this.#ruled.mark(pool)
      if (this.#isDirty) this.#mark(at)
      else this.#watchDraining(at)
    })
  }

  get #isDirty(): boolean {
    return this.#dirty.size > 0 || this.#ruled.dirty
  }

  #entry(service: ServiceKey): Pool {
    let pool = this.#pools.get(service)
    if (pool === undefined) {
      pool = { service, shards: new Map<string, Shard>(), merged: undefined, view: undefined, touched: undefined }
      this.#pools.set(service, pool)
      this.#dirty.add(pool)
    }
    return pool
  }

  /** Files a group under a service, or takes it away, and remembers what was there. */
  #put(source: { readonly name: string; readonly type: string }, service: ServiceKey, id: string, group: EndpointGroup | undefined): void {
    const pool = this.#entry(service)
    let shard = pool.shards.get(source.name)
    const before = shard?.groups.get(id)
    if (before === group) return
    if (shard === undefined) {
      shard = { source: source.name, sourceType: source.type, groups: new Map<string, EndpointGroup>() }
      pool.shards.set(source.name, shard)
    }
    if (group !== undefined) shard.groups.set(id, group)
    else if (shard.groups.delete(id) && shard.groups.size === 0) pool.shards.delete(source.name)
    const key = `${source.name}\0${id}`
    pool.touched ??= new Map()
    if (!pool.touched.has(key)) pool.touched.set(key, { shard, id, before })
    this.#dirty.add(pool)
  }

  #mark(receivedAt: number): void {
    if (!this.#isDirty) return
    this.#dirtySince = Math.min(this.#dirtySince, receivedAt)
    this.#onDirty()
  }
}
