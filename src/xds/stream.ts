import { hash } from 'node:crypto'
import type { ResourceCache, Watcher } from './cache.ts'
import { deltaResponse, type Envelope, sotwResponse } from './frames.ts'
import { type DiscoveryRequest, type NodeIdentity } from './request.ts'
import type { Resource, ResourceKey } from './resource.ts'
import { type Sent, Subscription, type View } from './subscription.ts'
import { type ResourceType, resourceTypes, typeOfUrl, typeUrls } from './type-urls.ts'

/** What happens on streams, for metrics. Times are `clock.now()`. */
export interface StreamObserver {
  /** `receivedAt`: when the data behind the response arrived at its source; undefined for answers to a question. */
  written(type: ResourceType, bytes: number, receivedAt: number | undefined): void
  acked(type: ResourceType, writtenAt: number, receivedAt: number | undefined): void
  nacked(type: ResourceType, nodeId: string, message: string): void
}

export interface StreamGiven {
  readonly cache: ResourceCache
  /** Id of this gateway. */
  readonly id: string
  readonly clock: { now(): number; wall(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
  readonly observer: StreamObserver
  /** Hands a response to the socket; false when its buffer is full: nothing more is written until `drained`. */
  readonly write: (bytes: Buffer) => boolean
}

/** What of one type the status shows. */
export interface TypeState {
  readonly subscription: Subscription
  sentCount: number
  ackedCount: number
  nackedCount: number
  lastSentAt: number | undefined
  lastAckAt: number | undefined
  lastNack: { text: string; at: number; code: number; names: readonly string[] } | undefined
  /** When the last response was written, `clock.now()`. */
  writtenAt: number
  /** Earliest source time among the changes not yet written, and among those of the response in flight. */
  receivedAt: number | undefined
  inFlightReceivedAt: number | undefined
}

/** A resource waits at most this long for what it requires, and a response for its answer (xds.md D15, O3). */
const patienceMs = 10_000

/** One client's stream: its subscriptions, and a thin writer. Dirty names, never queued messages; one un-ACKed response per type. */
export class Stream implements Watcher {
  readonly #given: StreamGiven
  readonly #types = new Map<ResourceType, TypeState>()
  readonly #ended = new AbortController()
  /** When a resource was first held back, by type and name. */
  readonly #heldSince = new Map<string, number>()
  #node: NodeIdentity | undefined
  #nonces = 0
  #open = false
  #drained = true
  #scheduled = false
  #timed = false

  constructor(given: StreamGiven) {
    this.#given = given
    given.cache.join(this)
  }

  get node(): NodeIdentity | undefined {
    return this.#node
  }

  get types(): ReadonlyMap<ResourceType, TypeState> {
    return this.#types
  }

  /** Who it is: the first message tells, later ones are not asked again (C1, C3). */
  identify(node: NodeIdentity): void {
    this.#node ??= node
  }

  /** Until this is called, requests are remembered and nothing is answered (L1). */
  open(): void {
    this.#open = true
    this.#flush()
  }

  /** The socket takes responses again. */
  drained(): void {
    this.#drained = true
    this.#flush()
  }

  /** Takes a request whose type we serve. */
  request(type: ResourceType, request: DiscoveryRequest): void {
    const { cache, clock, observer } = this.#given
    const state = this.#state(type, request.protocol)
    const current = (): Iterable<string> => cache.names(type)
    const { verdict, watch } =
      request.protocol === 'delta' ? state.subscription.delta(request, current) : state.subscription.sotw(request, current)
    for (const name of watch.add) cache.watch(this, type, name)
    for (const name of watch.drop) cache.unwatch(this, type, name)
    if (verdict.kind === 'ack') {
      state.ackedCount++
      state.lastAckAt = clock.wall()
      if (verdict.sent.resources.length > 0) state.lastNack = undefined
      observer.acked(type, state.writtenAt, state.inFlightReceivedAt)
    } else if (verdict.kind === 'nack' && request.error !== undefined) {
      state.nackedCount++
      const rejected = verdict.sent.resources.filter(resource => state.subscription.rejectedVersion(resource.name) === resource.version)
      state.lastNack = { text: request.error.message, code: request.error.code, at: clock.wall(), names: rejected.map(one => one.name) }
      observer.nacked(type, this.#node?.id ?? '', request.error.message)
    }
    // An acknowledged assignment frees nothing that is retired; anything else may.
    if (verdict.kind !== 'none' && type !== 'endpoint') cache.sweep()
    this.#flush()
  }

  /** Answers a question about a type that we do not serve: nobody has to wait for its time-out (C8). */
  refuse(request: DiscoveryRequest): void {
    if (request.protocol === 'sotw' || request.nonce !== '' || !this.#open) return
    const names = request.subscribe.filter(name => name !== '*')
    this.#given.write(deltaResponse([], names, this.#envelope(request.typeUrl, this.#nonce(), '')))
  }

  changed(type: ResourceType, name: string, receivedAt: number | undefined): void {
    const state = this.#types.get(type)
    if (state === undefined) return
    state.subscription.changed(name)
    if (receivedAt !== undefined) state.receivedAt = Math.min(state.receivedAt ?? Infinity, receivedAt)
    this.#flushSoon()
  }

  *required(): Iterable<ResourceKey> {
    for (const { subscription } of this.#types.values()) {
      for (const resource of subscription.ackedResources()) yield* resource.requires
      for (const resource of subscription.inFlight?.resources ?? []) yield* resource.requires
    }
  }

  /** Takes all watches back; nothing of the stream remains (L8). */
  end(): void {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    for (const [type, { subscription }] of this.#types) {
      for (const name of subscription.watched) this.#given.cache.unwatch(this, type, name)
    }
    this.#types.clear()
    this.#given.cache.leave(this)
  }

  #state(type: ResourceType, protocol: 'sotw' | 'delta'): TypeState {
    let state = this.#types.get(type)
    if (state === undefined) {
      state = {
        subscription: new Subscription(type, protocol),
        sentCount: 0,
        ackedCount: 0,
        nackedCount: 0,
        lastSentAt: undefined,
        lastAckAt: undefined,
        lastNack: undefined,
        writtenAt: 0,
        receivedAt: undefined,
        inFlightReceivedAt: undefined,
      }
      this.#types.set(type, state)
    }
    return state
  }

  /** Once per turn of the event loop: a patch of many resources becomes one response. */
  #flushSoon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  /** Sends what may go, in the order of types that never lets a client see a name before what it names (O1). */
  #flush(): void {
    if (!this.#open || this.#ended.signal.aborted) return
    for (const type of resourceTypes) {
      // What changes meanwhile merges into the next response (L4).
      if (!this.#drained) return
      const state = this.#types.get(type)
      const sent = state?.subscription.next(this.#view(type), () => this.#nonce())
      if (state !== undefined && sent !== undefined) this.#write(type, state, sent)
    }
    this.#flushLater()
  }

  #write(type: ResourceType, state: TypeState, sent: Sent): void {
    const { clock, observer, write } = this.#given
    const envelope = this.#envelope(typeUrls[type], sent.nonce, contentVersion(sent.resources))
    const bytes =
      state.subscription.protocol === 'delta'
        ? deltaResponse(sent.resources, sent.removed, envelope)
        : sotwResponse(sent.resources, this.#wantsWrapped(), envelope)
    this.#drained = write(bytes)
    state.sentCount++
    state.lastSentAt = clock.wall()
    state.writtenAt = clock.now()
    state.inFlightReceivedAt = state.receivedAt
    state.receivedAt = undefined
    observer.written(type, bytes.length, state.inFlightReceivedAt)
    // A cluster that is sent again warms again, and Envoy does not ask again for the assignment that it waits for (O4).
    for (const resource of sent.resources) {
      if (this.#heldSince.size > 0) this.#heldSince.delete(`${resource.type} ${resource.name}`)
      if (type !== 'cluster') continue
      for (const key of resource.requires) this.#types.get(key.type)?.subscription.resend(key.name)
    }
  }

  #view(type: ResourceType): View {
    const { cache } = this.#given
    return { get: name => cache.get(type, name), all: () => cache.all(type), held: resource => this.#held(resource) }
  }

  /** Whether a resource must wait for something it requires, which is bounded in time. */
  #held(resource: Resource): boolean {
    if (resource.requires.every(key => this.#has(key))) return false
    const id = `${resource.type} ${resource.name}`
    const now = this.#given.clock.now()
    const since = this.#heldSince.get(id)
    if (since === undefined) this.#heldSince.set(id, now)
    return now - (since ?? now) < patienceMs
  }

  /**
   * The client has what it needs of a required resource: it acknowledged it, and what that one requires in turn (a cluster warms until its
   * assignment is there). What it did not subscribe to, or what does not exist, is not waited for.
   */
  #has(key: ResourceKey): boolean {
    const subscription = this.#types.get(key.type)?.subscription
    const resource = this.#given.cache.get(key.type, key.name)
    if (subscription?.covers(key.name) !== true || resource === undefined) return true
    if (subscription.acked(key.name) === undefined) return false
    return resource.requires.every(inner => {
      const innerSubscription = this.#types.get(inner.type)?.subscription
      if (innerSubscription === undefined || this.#given.cache.get(inner.type, inner.name) === undefined) return true
      return innerSubscription.acked(inner.name) !== undefined
    })
  }

  /** While something waits, looks again when its time is up. */
  #flushLater(): void {
    if (this.#timed) return
    if (![...this.#types.values()].some(({ subscription }) => subscription.pending > 0 || subscription.inFlight !== undefined)) return
    this.#timed = true
    void this.#given.clock.sleep(patienceMs, this.#ended.signal).then(() => {
      this.#timed = false
      const overdue = this.#given.clock.now() - patienceMs
      // A response that was flushed and is not answered holds up its type no longer.
      if (this.#drained) for (const state of this.#types.values()) if (state.writtenAt <= overdue) state.subscription.expire()
      this.#flush()
    })
  }

  #nonce(): string {
    return String(++this.#nonces)
  }

  #envelope(typeUrl: string, nonce: string, version: string): Envelope {
    return { typeUrl, nonce, version, controlPlane: this.#given.id }
  }

  #wantsWrapped(): boolean {
    const features = this.#node?.clientFeatures ?? []
    return features.includes('xds.config.resource-in-sotw') || features.includes('supports-resource-in-sotw')
  }
}

/** One version for a list of resources: equal content, equal version, on every replica (C17). */
function contentVersion(resources: readonly Resource[]): string {
  const [only] = resources
  if (resources.length === 1 && only !== undefined) return only.version
  return hash('sha1', resources.map(resource => resource.version).join()).slice(0, 16)
}

/** The type that a request is about: its own type URL, or that of the service it came to. Undefined for a type we do not serve. */
export function typeOfRequest(typeUrl: string, service: ResourceType | undefined): ResourceType | undefined {
  return typeUrl === '' ? service : typeOfUrl(typeUrl)
}
