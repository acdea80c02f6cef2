import { BitSet, Interner } from './interner.ts'
import { Residents } from './residents.ts'
import { keyText, type Place, type Resource, type ResourceKey } from './resource.ts'
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
}

/** Is told which names clients ask for, so that resources can be made when somebody wants them. */
export interface AskedListener {
  /** The first watcher named something that is not there or only there on demand. What is put now still makes it into the first answer. */
  asked(key: ResourceKey): void
  /** The last watcher of a name has gone. Called for every name, also for those that `asked` was not called for. */
  unasked(key: ResourceKey): void
}

export interface CacheGiven {
  readonly clock: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
  /** The longest that a removed resource waits for clients to let go of it, ms. */
  readonly retireMs?: number
  readonly names?: AskedListener
}

interface Shelf {
  readonly resources: Map<string, Resource>
  /** Name → the newest version that any client acknowledged; only of types whose last good version may have to go out again. */
  readonly good: Map<string, Resource> | undefined
  readonly everyName: Set<Watcher>
  readonly byName: Map<string, BitSet<Watcher>>
  /** Those that streams hold something of. */
  readonly names: Interner<string>
}

/** Types whose responses are the whole state in state of the world: who refuses one of them is sent its last good version. */
const wholeTypes: ReadonlySet<ResourceType> = new Set(['cluster', 'listener'])

/**
 * All resources, encoded once, with an index from names to the streams that watch them: the cost of a change depends on who watches
 * it, not on how many resources or streams there are (reference/xds.md 2.1).
 *
 * A removed resource is retired first: it stays until nothing that is served and nothing that a client may be using requires it, so that
 * a route never loses its cluster under a client that still has the route (xds.md O2). That wait is bounded.
 */
export class ResourceCache {
  readonly #shelves: Readonly<Record<ResourceType, Shelf>>
  /** Removed, but still served; oldest first. */
  readonly #retired = new Map<string, { readonly key: ResourceKey; readonly since: number }>()
  readonly #residents = new Residents({
    needed: key => this.#secretTurns(key),
    unneeded: key => this.#unneeded(key),
  })
  readonly #watchers = new Interner<Watcher>()
  readonly #clock: CacheGiven['clock']
  readonly #retireMs: number
  readonly #asked: AskedListener | undefined
  readonly #closed = new AbortController()
  #timed = false
  #forced = 0

  constructor({ clock, retireMs = 30_000, names }: CacheGiven) {
    this.#clock = clock
    this.#retireMs = retireMs
    this.#asked = names
    const shelf = (type: ResourceType): Shelf => ({
      resources: new Map(),
      good: wholeTypes.has(type) ? new Map() : undefined,
      everyName: new Set(),
      byName: new Map(),
      names: new Interner(),
    })
    this.#shelves = Object.fromEntries(resourceTypes.map(type => [type, shelf(type)])) as Record<ResourceType, Shelf>
  }

  /**
   * What is served under a name, at a place. A secret that nothing served requires is not: a client gets those its own configuration names
   * (L10).
   */
  get(type: ResourceType, name: string, place?: Place): Resource | undefined {
    const resource = this.#shelves[type].resources.get(name)
    if (resource === undefined) return undefined
    return resource.type === 'secret' && !this.#residents.needs(resource) ? undefined : variantAt(resource, place)
  }

  /** Numbers of names, shared by all streams. */
  names(type: ResourceType): Interner<string> {
    return this.#shelves[type].names
  }

  /** What a client gets that asks for everything of a type: all but what exists on demand, retired ones too. */
  *all(type: ResourceType, place?: Place): Iterable<Resource> {
    for (const resource of this.#shelves[type].resources.values()) if (!resource.onDemand) yield variantAt(resource, place)
  }

  *counts(): Iterable<readonly [ResourceType, number]> {
    for (const type of resourceTypes) yield [type, this.#shelves[type].resources.size]
  }

  /** Removed resources that are still needed, and how many were dropped because the wait for that was over. */
  get retirement(): { readonly waiting: number; readonly forced: number } {
    return { waiting: this.#retired.size, forced: this.#forced }
  }

  /** Puts and removes resources in one step; what has the version it had changes nothing. */
  patch({ upsert, remove }: CachePatch, receivedAt?: number): void {
    const replaced: Resource[] = []
    for (const resource of upsert) {
      const shelf = this.#shelves[resource.type]
      const { resources } = shelf
      if (this.#retired.size > 0) this.#retired.delete(keyText(resource))
      const before = resources.get(resource.name)
      // Asking for a version encodes the resource: not as long as nobody watches it.
      if (before !== undefined && isWatched(shelf, resource.name) && sameState(before, resource)) continue
      resources.set(resource.name, resource)
      this.#residents.hold(resource)
      if (before !== undefined) replaced.push(before)
      this.#tell(resource, receivedAt, resource.onDemand && before?.onDemand !== false)
    }
    // Only now: what an old version required may be required by a new one of this patch.
    for (const resource of replaced) this.#residents.release(resource)
    const since = this.#clock.now()
    for (const key of remove) {
      const id = keyText(key)
      if (!this.#shelves[key.type].resources.has(key.name) || this.#retired.has(id)) continue
      if (this.#residents.needs(key)) this.#retired.set(id, { key, since })
      else this.#drop(key)
    }
    this.#expireLater()
  }

  /** The newest version of a cluster or listener that any client acknowledged. */
  good(type: ResourceType, name: string): Resource | undefined {
    return this.#shelves[type].good?.get(name)
  }

  /** A client acknowledged it. */
  acknowledged(resource: Resource): void {
    const { good, resources } = this.#shelves[resource.type]
    if (good !== undefined && resources.has(resource.name)) good.set(resource.name, resource)
  }

  /** A client may be using a resource from now on: what it requires stays. */
  hold(resource: Resource): void {
    this.#residents.hold(resource)
  }

  /** One client less may be using it. */
  release(resource: Resource): void {
    this.#residents.release(resource)
  }

  /** Starts to watch: one name, or every name of the type (`*`). */
  watch(watcher: Watcher, type: ResourceType, name: string): void {
    const shelf = this.#shelves[type]
    if (name === '*') shelf.everyName.add(watcher)
    else {
      let watchers = shelf.byName.get(name)
      const isFirst = watchers === undefined
      if (watchers === undefined) shelf.byName.set(name, (watchers = new BitSet(this.#watchers)))
      watchers.add(watcher)
      if (!isFirst) return
      if (shelf.resources.get(name)?.onDemand !== false) this.#asked?.asked({ type, name })
    }
  }

  unwatch(watcher: Watcher, type: ResourceType, name: string): void {
    const shelf = this.#shelves[type]
    if (name === '*') shelf.everyName.delete(watcher)
    else {
      const watchers = shelf.byName.get(name)
      watchers?.delete(watcher)
      if (watchers?.size !== 0) return
      shelf.byName.delete(name)
      this.#asked?.unasked({ type, name })
    }
  }

  /** What is kept for streams: watches, and uses of resources that require others. Both are 0 when every stream has gone. */
  get kept(): { readonly watches: number; readonly uses: number } {
    let watches = 0
    let own = 0
    for (const type of resourceTypes) {
      const shelf = this.#shelves[type]
      watches += shelf.everyName.size
      for (const watchers of shelf.byName.values()) watches += watchers.size
      for (const resource of shelf.resources.values()) if (resource.requires.length > 0) own++
    }
    return { watches, uses: this.#residents.uses - own }
  }

  /** Ends its timer. */
  close(): void {
    this.#closed.abort()
  }

  #unneeded(key: ResourceKey): void {
    if (this.#retired.delete(keyText(key))) this.#drop(key)
    else this.#secretTurns(key)
  }

  /** A secret begins or ceases to be given. */
  #secretTurns(key: ResourceKey): void {
    if (key.type === 'secret' && this.#shelves.secret.resources.has(key.name)) this.#tell(key, undefined, true)
  }

  #drop(key: ResourceKey): void {
    const { resources, good } = this.#shelves[key.type]
    const resource = resources.get(key.name)
    if (resource === undefined) return
    resources.delete(key.name)
    good?.delete(key.name)
    this.#tell(key, undefined, resource.onDemand)
    this.#residents.release(resource)
  }

  #tell(key: ResourceKey, receivedAt: number | undefined, onDemand: boolean): void {
    const shelf = this.#shelves[key.type]
    if (!onDemand) for (const watcher of shelf.everyName) watcher.changed(key.type, key.name, receivedAt)
    for (const watcher of shelf.byName.get(key.name) ?? []) {
      if (onDemand || !shelf.everyName.has(watcher)) watcher.changed(key.type, key.name, receivedAt)
    }
  }

  /** The bound of retirement: one timer, for the oldest that waits. */
  #expireLater(): void {
    const oldest = this.#retired.values().next().value
    if (oldest === undefined || this.#timed) return
    this.#timed = true
    void this.#clock.sleep(oldest.since + this.#retireMs - this.#clock.now(), this.#closed.signal).then(() => {
      this.#timed = false
      if (this.#closed.signal.aborted) return
      const overdue = this.#clock.now() - this.#retireMs
      for (const [id, { key, since }] of this.#retired) {
        if (since > overdue) break
        this.#retired.delete(id)
        this.#forced++
        this.#drop(key)
      }
      this.#expireLater()
    })
  }
}

function isWatched({ everyName, byName }: Shelf, name: string): boolean {
  return everyName.size > 0 || byName.has(name)
}

function variantAt(resource: Resource, place: Place | undefined): Resource {
  return place === undefined || resource.forPlace === undefined ? resource : resource.forPlace(place)
}

/** Variants of equal resources are equal, if both have any. */
function sameState(a: Resource, b: Resource): boolean {
  const placed = (a.forPlace === undefined) === (b.forPlace === undefined)
  return placed && a.version === b.version && a.onDemand === b.onDemand && a.tentative === b.tentative
}
