import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { type GroupChange, mergePool } from './merge.ts'
import type { PoolView, TableChange, TableReader } from './reader.ts'

/** One source's groups. */
interface Shard {
  readonly source: string
  readonly sourceType: string
  readonly groups: Map<string, EndpointGroup>
}

/** One service: its groups by source, kept apart (style.md, principle 5), and the last merge of them. */
interface Pool {
  readonly service: ServiceKey
  readonly shards: Map<string, Shard>
  view: PoolView | undefined
  /** Groups that were touched since the last merge, each as it was then. */
  touched: Map<string, { readonly shard: Shard; readonly id: string; readonly before: EndpointGroup | undefined }> | undefined
}

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
  #dirtySince = Infinity
  #revision = 1
  #endpoints = 0

  /** `onDirty` is called after every `apply` that marked something: it schedules `settle`. */
  constructor(onDirty: () => void) {
    this.#onDirty = onDirty
  }

  get revision(): number {
    return this.#revision
  }

  get size(): { services: number; endpoints: number } {
    this.settle()
    return { services: this.#pools.size, endpoints: this.#endpoints }
  }

  pool(service: ServiceKey): PoolView | undefined {
    const pool = this.#pools.get(service)
    if (pool !== undefined && this.#dirty.has(pool)) this.settle()
    return pool?.view
  }

  *pools(): Iterable<PoolView> {
    this.settle()
    for (const pool of this.#pools.values()) if (pool.view !== undefined) yield pool.view
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

  /** Merges what was marked and tells the listeners what changed. Does nothing when nothing was marked. */
  settle(): void {
    if (this.#dirty.size === 0) return
    const receivedAt = this.#dirtySince
    const pools: TableChange['pools'][number][] = []
    for (const pool of this.#dirty) {
      const before = pool.view
      const after = mergePool(pool.service, before, changesOf(pool), [...pool.shards.keys()].sort())
      pool.touched = undefined
      if (after === before) continue
      pool.view = after
      this.#endpoints += after.endpoints.length - (before?.endpoints.length ?? 0)
      pools.push({ before, after })
    }
    this.#dirty.clear()
    this.#dirtySince = Infinity
    if (pools.length === 0) return
    this.#revision++
    const change: TableChange = { revision: this.#revision, pools, receivedAt }
    for (const listener of this.#listeners) listener(change)
  }

  #entry(service: ServiceKey): Pool {
    let pool = this.#pools.get(service)
    if (pool === undefined) {
      pool = { service, shards: new Map<string, Shard>(), view: undefined, touched: undefined }
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
    if (this.#dirty.size === 0) return
    this.#dirtySince = Math.min(this.#dirtySince, receivedAt)
    this.#onDirty()
  }
}

function changesOf(pool: Pool): readonly GroupChange[] {
  return [...(pool.touched?.values() ?? [])].map(({ shard, id, before }) => ({
    source: shard.source,
    sourceType: shard.sourceType,
    before,
    // The source may have come back meanwhile with a shard of its own.
    after: pool.shards.get(shard.source)?.groups.get(id),
  }))
}
