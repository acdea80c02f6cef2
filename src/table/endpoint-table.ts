import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { type Contribution, mergePool } from './merge.ts'
import type { PoolView, TableChange, TableReader } from './reader.ts'

/** One source's groups. */
interface Shard {
  readonly source: string
  readonly sourceType: string
  readonly groups: Map<string, EndpointGroup>
}

/** One service: its groups by source, kept apart (style.md, principle 5), and the last merge of them. */
interface Pool {
  readonly shards: Map<string, Shard>
  view: PoolView | undefined
}

/**
 * The single owner of all endpoints. `apply` swaps groups and marks pools; `settle` merges the marked ones and tells who listens.
 * The two are apart so that a burst of groups of one service is merged once.
 */
export class EndpointTable implements TableReader {
  readonly #pools = new Map<ServiceKey, Pool>()
  /** Which service each group of a source is filed under, to take it out of there when it moves or goes. */
  readonly #homes = new Map<string, Map<string, ServiceKey>>()
  readonly #dirty = new Set<ServiceKey>()
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
    if (this.#dirty.has(service)) this.settle()
    return this.#pools.get(service)?.view
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
      if (home !== undefined && home !== group.service) this.#remove(source.name, home, group.id)
      if (group.endpoints.length === 0) {
        homes.delete(group.id)
        // A service that a source names is known, even if it has no endpoint.
        this.#entry(group.service)
        if (home === group.service) this.#remove(source.name, home, group.id)
        this.#dirty.add(group.service)
      } else {
        homes.set(group.id, group.service)
        this.#put(source, group)
      }
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
      this.#remove(source, service, id)
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
    for (const service of this.#dirty) {
      const pool = this.#entry(service)
      const before = pool.view
      const after = mergePool(service, contributions(pool), before)
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
    if (pool === undefined) this.#pools.set(service, (pool = { shards: new Map<string, Shard>(), view: undefined }))
    return pool
  }

  #put(source: { readonly name: string; readonly type: string }, group: EndpointGroup): void {
    const { shards } = this.#entry(group.service)
    let shard = shards.get(source.name)
    if (shard === undefined)
      shards.set(source.name, (shard = { source: source.name, sourceType: source.type, groups: new Map<string, EndpointGroup>() }))
    if (shard.groups.get(group.id) === group) return
    shard.groups.set(group.id, group)
    this.#dirty.add(group.service)
  }

  #remove(source: string, service: ServiceKey, id: string): void {
    const shards = this.#entry(service).shards
    const shard = shards.get(source)
    if (shard?.groups.delete(id) !== true) return
    if (shard.groups.size === 0) shards.delete(source)
    this.#dirty.add(service)
  }

  #mark(receivedAt: number): void {
    if (this.#dirty.size === 0) return
    this.#dirtySince = Math.min(this.#dirtySince, receivedAt)
    this.#onDirty()
  }
}

function contributions(pool: Pool): readonly Contribution[] {
  return [...pool.shards.values()].map(shard => ({ source: shard.source, sourceType: shard.sourceType, groups: shard.groups.values() }))
}
