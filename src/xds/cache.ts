import type { Resource, ResourceKey } from './resource.ts'
import { type ResourceType, resourceTypes } from './type-urls.ts'

/** One change of what is to be served. */
export interface CachePatch {
  readonly upsert: readonly Resource[]
  readonly remove: readonly ResourceKey[]
}

/** A stream as the cache sees it. */
export interface Watcher {
  /** A resource it watches changed or is gone. `receivedAt`: when the data behind the change arrived at its source. */
  changed(type: ResourceType, name: string, receivedAt: number | undefined): void
  /** The names that resources this client holds, or may hold, require. */
  required(): Iterable<ResourceKey>
}

export interface CacheGiven {
  readonly clock: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
  /** The longest that a removed resource waits for clients to let go of it, ms. */
  readonly retireMs?: number
}

interface Shelf {
  readonly resources: Map<string, Resource>
  readonly everyName: Set<Watcher>
  readonly byName: Map<string, Set<Watcher>>
}

/**
 * All resources, encoded once, with an index from names to the streams that watch them: the cost of a change depends on who watches
 * it, not on how many resources or streams there are (reference/xds.md 2.1).
 *
 * A removed resource is retired first: it stays until nothing that is served and no stream requires it, so that a route never loses its
 * cluster under a client that still has the route (xds.md O2). That wait is bounded.
 */
export class ResourceCache {
  readonly #shelves: Readonly<Record<ResourceType, Shelf>>
  readonly #retired = new Map<string, { readonly key: ResourceKey; readonly since: number }>()
  readonly #watchers = new Set<Watcher>()
  readonly #clock: CacheGiven['clock']
  readonly #retireMs: number
  readonly #closed = new AbortController()
  #timed = false
  #forced = 0

  constructor({ clock, retireMs = 30_000 }: CacheGiven) {
    this.#clock = clock
    this.#retireMs = retireMs
    const shelf = (): Shelf => ({ resources: new Map(), everyName: new Set(), byName: new Map() })
    this.#shelves = Object.fromEntries(resourceTypes.map(type => [type, shelf()])) as Record<ResourceType, Shelf>
  }

  get(type: ResourceType, name: string): Resource | undefined {
    return this.#shelves[type].resources.get(name)
  }

  /** All resources of a type, retired ones too. */
  all(type: ResourceType): Iterable<Resource> {
    return this.#shelves[type].resources.values()
  }

  names(type: ResourceType): Iterable<string> {
    return this.#shelves[type].resources.keys()
  }

  *counts(): Iterable<readonly [ResourceType, number]> {
    for (const type of resourceTypes) yield [type, this.#shelves[type].resources.size]
  }

  /** Removed resources that some stream still needs, and how many were dropped because the wait for it was over. */
  get retirement(): { readonly waiting: number; readonly forced: number } {
    return { waiting: this.#retired.size, forced: this.#forced }
  }

  /** Puts and removes resources in one step; what has the version it had changes nothing. */
  patch({ upsert, remove }: CachePatch, receivedAt?: number): void {
    for (const resource of upsert) {
      const { resources } = this.#shelves[resource.type]
      if (this.#retired.size > 0) this.#retired.delete(keyText(resource))
      if (resources.get(resource.name)?.version === resource.version) continue
      resources.set(resource.name, resource)
      this.#tell(resource, receivedAt)
    }
    const since = this.#clock.now()
    for (const key of remove) {
      const id = keyText(key)
      if (this.get(key.type, key.name) === undefined || this.#retired.has(id)) continue
      this.#retired.set(id, { key, since })
    }
    this.sweep()
    this.#sweepLater()
  }

  /** Really removes the retired resources that nobody requires any more. Streams call it after each acknowledgement and when they end. */
  sweep(): void {
    if (this.#retired.size === 0) return
    const required = new Set<string>()
    for (const type of resourceTypes) {
      for (const resource of this.#shelves[type].resources.values()) {
        if (resource.requires.length > 0 && !this.#retired.has(keyText(resource))) addAll(required, resource.requires)
      }
    }
    for (const watcher of this.#watchers) addAll(required, watcher.required())
    this.#keepChains(required)
    const overdue = this.#clock.now() - this.#retireMs
    for (const [id, { key, since }] of this.#retired) {
      const late = since <= overdue
      if (required.has(id) && !late) continue
      if (required.has(id)) this.#forced++
      this.#retired.delete(id)
      this.#shelves[key.type].resources.delete(key.name)
      this.#tell(key, undefined)
    }
  }

  /** Starts to watch: one name, or every name of the type (`*`). */
  watch(watcher: Watcher, type: ResourceType, name: string): void {
    const shelf = this.#shelves[type]
    if (name === '*') shelf.everyName.add(watcher)
    else {
      const watchers = shelf.byName.get(name)
      if (watchers === undefined) shelf.byName.set(name, new Set([watcher]))
      else watchers.add(watcher)
    }
  }

  unwatch(watcher: Watcher, type: ResourceType, name: string): void {
    const shelf = this.#shelves[type]
    if (name === '*') shelf.everyName.delete(watcher)
    else {
      const watchers = shelf.byName.get(name)
      watchers?.delete(watcher)
      if (watchers?.size === 0) shelf.byName.delete(name)
    }
  }

  join(watcher: Watcher): void {
    this.#watchers.add(watcher)
  }

  /** Forgets a stream; its watches must have been taken back. */
  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher)
    this.sweep()
  }

  /** Watches in all: 0 when every stream has gone. */
  get watchCount(): number {
    let count = 0
    for (const type of resourceTypes) {
      const shelf = this.#shelves[type]
      count += shelf.everyName.size
      for (const watchers of shelf.byName.values()) count += watchers.size
    }
    return count
  }

  /** What a retired resource that stays requires stays with it: a cluster keeps its assignment. */
  #keepChains(required: Set<string>): void {
    for (let grown = true; grown; ) {
      const before = required.size
      for (const [id, { key }] of this.#retired) if (required.has(id)) addAll(required, this.get(key.type, key.name)?.requires ?? [])
      grown = required.size > before
    }
  }

  #tell(key: ResourceKey, receivedAt: number | undefined): void {
    const shelf = this.#shelves[key.type]
    for (const watcher of shelf.everyName) watcher.changed(key.type, key.name, receivedAt)
    for (const watcher of shelf.byName.get(key.name) ?? []) {
      if (!shelf.everyName.has(watcher)) watcher.changed(key.type, key.name, receivedAt)
    }
  }

  /** The bound of retirement: one timer while anything waits. */
  #sweepLater(): void {
    if (this.#retired.size === 0 || this.#timed) return
    this.#timed = true
    void this.#clock.sleep(this.#retireMs, this.#closed.signal).then(() => {
      this.#timed = false
      if (this.#closed.signal.aborted) return
      this.sweep()
      this.#sweepLater()
    })
  }

  /** Ends its timer. */
  close(): void {
    this.#closed.abort()
  }
}

function keyText(key: ResourceKey): string {
  return `${key.type} ${key.name}`
}

function addAll(set: Set<string>, keys: Iterable<ResourceKey>): void {
  for (const key of keys) set.add(keyText(key))
}
