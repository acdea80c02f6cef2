import type { ResourceCache, Watcher } from './cache.ts'
import type { Sent, Verdict } from './delivery.ts'
import type { Bound, ClientFault } from './faults.ts'
import type { Parts, ResponseFramer } from './frames.ts'
import { Gating } from './gating.ts'
import type { PushQueue } from './push-queue.ts'
import type { DiscoveryRequest, NodeIdentity } from './request.ts'
import type { Resource } from './resource.ts'
import { Subscription, type View } from './subscription.ts'
import { type ResourceType, resourceTypes, typeUrls } from './type-urls.ts'

/** What happens on streams, for metrics. Times are `clock.now()`. */
export interface StreamObserver {
  /** `receivedAt`: when the data behind the response arrived at its source; undefined for answers to a question. */
  written(type: ResourceType, bytes: number, receivedAt: number | undefined): void
  acked(type: ResourceType, writtenAt: number, receivedAt: number | undefined): void
  /** `again`: the same text as the last time. */
  nacked(type: ResourceType, nodeId: string, message: string, again: boolean): void
  /** A wait was over before what it waited for: O3, D15, L7. */
  bound?(bound: Bound): void
  fault?(fault: ClientFault): void
}

export interface StreamGiven {
  /** Who it is: the first message tells, later ones are not asked again (C1, C3). */
  readonly node: NodeIdentity
  readonly cache: ResourceCache
  readonly framer: ResponseFramer
  readonly queue: PushQueue
  readonly clock: { now(): number; wall(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
  readonly observer: StreamObserver
  /** Makes nonces of this stream unlike those of any other, on any replica (xds.md C5). */
  readonly noncePrefix: string
  /** Hands a response to the socket; `flushed` is called once the socket has taken it, or never will because the stream is over. */
  readonly write: (parts: Parts, flushed: () => void) => void
  /** The client does something that it should not; `data` is for the log. */
  readonly fault: (fault: ClientFault, data: object) => void
  /** Ends the stream for it; `text` tells the client why. */
  readonly cut: (fault: ClientFault, text: string) => void
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
  /** When the last response was written, and when the socket took it, `clock.now()`. */
  writtenAt: number
  flushedAt: number | undefined
  /** Earliest source time among the changes not yet written, and among those of the response in flight. */
  receivedAt: number | undefined
  inFlightReceivedAt: number | undefined
}

/** A resource waits at most this long for what it requires, and a response for its answer (xds.md D15, O3). */
const patienceMs = 10_000
/** A client whose socket has taken nothing of a response for so long is cut off: it holds memory, and knows nothing that is true (L4). */
const stuckMs = 300_000
/** So many names, and characters of names, may one client watch of a type. The largest in the field have 50,000 (D17). */
const namesMost = 250_000
const namesCharactersMost = 64 * 1024 * 1024
/** Envoy shows the version of a whole Delta response for these types alone, so that others are spared its 18 bytes (D16). */
const shownVersions: ReadonlySet<ResourceType> = new Set(['cluster', 'listener'])
/** gRPC clients take 4 MiB at most unless they are told otherwise (G6); Envoy takes anything. */
const largeBytes = 3 * 1024 * 1024
/** So many types that we do not serve are answered on one stream, and so much is kept of the text of a NACK. */
const unknownTypesMost = 32
const nackTextMost = 4_096

/** One client's stream: its subscriptions, and a thin writer. Dirty names, never queued messages; one un-ACKed response per type. */
export class Stream implements Watcher {
  readonly #given: StreamGiven
  readonly #types = new Map<ResourceType, TypeState>()
  /** Delta subscriptions to types that we do not serve: everything is absent there (C8). */
  readonly #unknown = new Map<string, Subscription>()
  readonly #gating: Gating
  readonly #views = new Map<ResourceType, View>()
  /** Assignments of clusters that were sent before the client asked for any assignment (O4). */
  readonly #owed = new Set<string>()
  /** Types of which something changed, or was asked, since they were last looked at. */
  readonly #marked = new Set<ResourceType>()
  #nonces = 0
  readonly #nonce = (): string => `${this.#given.noncePrefix}${String(++this.#nonces)}`
  #open = false
  #isEnded = false
  /** Ends the sleep until something is overdue, while there is one. */
  #sleep: AbortController | undefined

  constructor(given: StreamGiven) {
    this.#given = given
    const { clock, observer } = given
    this.#gating = new Gating(
      {
        subscription: type => this.#types.get(type)?.subscription,
        current: ({ type, name }) => this.served(type, name),
        now: () => clock.now(),
        gaveUp: () => observer.bound?.('gating'),
      },
      patienceMs,
    )
  }

  get node(): NodeIdentity {
    return this.#given.node
  }

  /** What is served here under a name, at the place of this client (L9). */
  served(type: ResourceType, name: string): Resource | undefined {
    return this.#given.cache.get(type, name, this.node.place)
  }

  get types(): ReadonlyMap<ResourceType, TypeState> {
    return this.#types
  }

  /** Until this is called, requests are remembered and nothing is answered (L1). */
  open(): void {
    this.#open = true
    this.flush()
  }

  /** Takes a request whose type we serve. */
  request(type: ResourceType, request: DiscoveryRequest): void {
    const { cache, queue } = this.#given
    const state = this.#state(type, request.protocol)
    const { subscription } = state
    const view = this.#view(type)
    const { verdict, watch } = request.protocol === 'delta' ? subscription.delta(request, view) : subscription.sotw(request, view)
    for (const name of watch.add) cache.watch(this, type, name)
    for (const name of watch.drop) cache.unwatch(this, type, name)
    if (type === 'endpoint' && this.#owed.size > 0) this.#payOwed(subscription)
    this.#answered(type, state, verdict, request)
    if (this.#isTooMuch(subscription)) return
    // In its turn: a thousand clients that ask at once must not keep ACKs and pings waiting until the last is answered (xds.md 5.2).
    if (subscription.isDue) this.#marked.add(type)
    // An ACK that leaves nothing to send, and that nothing waited for, is the most frequent request.
    if (subscription.isDue || this.#gating.isWaiting) queue.add(this)
  }

  /** Answers a question about a type that we do not serve, so that nobody has to wait for its time-out; state of the world has no such answer (C8). */
  requestUnknown(request: DiscoveryRequest): void {
    let subscription = this.#unknown.get(request.typeUrl)
    if (subscription === undefined) this.#given.fault('unknown-type', { typeUrl: request.typeUrl })
    if (request.protocol === 'sotw' || (subscription === undefined && this.#unknown.size >= unknownTypesMost)) return
    if (subscription === undefined)
      this.#unknown.set(request.typeUrl, (subscription = new Subscription(undefined, 'delta', this.#given.cache)))
    subscription.delta(request, nothing)
    if (this.#isTooMuch(subscription)) return
    this.flush()
  }

  #isTooMuch({ subscribed, characters }: Subscription): boolean {
    const tooMuch = (subscribed !== 'all' && subscribed > namesMost) || characters > namesCharactersMost
    if (tooMuch) this.#given.cut('too-many-names', `more than ${String(namesMost)} names of one type, or too long ones`)
    return tooMuch
  }

  changed(type: ResourceType, name: string, receivedAt: number | undefined): void {
    const state = this.#types.get(type)
    if (state === undefined) return
    state.subscription.changed(name)
    if (receivedAt !== undefined) state.receivedAt = Math.min(state.receivedAt ?? Infinity, receivedAt)
    this.#marked.add(type)
    this.#given.queue.add(this)
  }

  /** Sends what may go, in the order of types that never lets a client see a name before what it names (O1). */
  flush(): void {
    if (!this.#open || this.#isEnded) return
    // What waits for an acknowledgement of another type may be due without being marked.
    const any = this.#gating.isWaiting
    for (const type of resourceTypes) {
      if (!this.#marked.delete(type) && !any) continue
      const state = this.#types.get(type)
      const sent = state?.subscription.next(this.#view(type), this.#nonce)
      if (state !== undefined && sent !== undefined) this.#write(type, state, sent)
    }
    for (const [typeUrl, subscription] of this.#unknown) {
      const sent = subscription.next(nothing, this.#nonce)
      if (sent === undefined) continue
      this.#given.write(this.#given.framer.delta([], sent.removed, { typeUrl, nonce: sent.nonce, version: '' }), () => undefined)
    }
    this.#lookAgainLater()
  }

  /** Takes all watches back; nothing of the stream remains (L8). */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#sleep?.abort()
    this.#given.queue.remove(this)
    for (const [type, { subscription }] of this.#types) {
      for (const name of subscription.watched) this.#given.cache.unwatch(this, type, name)
      subscription.end()
    }
    this.#types.clear()
    this.#unknown.clear()
  }

  #state(type: ResourceType, protocol: 'sotw' | 'delta'): TypeState {
    let state = this.#types.get(type)
    if (state === undefined) {
      state = {
        subscription: new Subscription(type, protocol, this.#given.cache, this.#given.cache.names(type)),
        sentCount: 0,
        ackedCount: 0,
        nackedCount: 0,
        lastSentAt: undefined,
        lastAckAt: undefined,
        lastNack: undefined,
        writtenAt: 0,
        flushedAt: undefined,
        receivedAt: undefined,
        inFlightReceivedAt: undefined,
      }
      this.#types.set(type, state)
    }
    return state
  }

  #answered(type: ResourceType, state: TypeState, verdict: Verdict, { error }: DiscoveryRequest): void {
    const { cache, clock, observer } = this.#given
    if (verdict.kind === 'ack') {
      state.ackedCount++
      state.lastAckAt = clock.wall()
      // What was refused stays on show for as long as it is not replaced.
      if (state.subscription.quarantined === 0) state.lastNack = undefined
      for (const resource of verdict.sent.resources) {
        cache.acknowledged(resource)
        this.#gating.acknowledged(resource)
      }
      observer.acked(type, state.writtenAt, state.inFlightReceivedAt)
    } else if (verdict.kind === 'nack' && error !== undefined) {
      state.nackedCount++
      const names = verdict.blamed.map(resource => resource.name)
      const before = state.lastNack?.text
      state.lastNack = { text: error.message.slice(0, nackTextMost), code: error.code, at: clock.wall(), names }
      observer.nacked(type, this.node.id, state.lastNack.text, state.lastNack.text === before)
    }
  }

  #write(type: ResourceType, state: TypeState, sent: Sent): void {
    const { clock, framer, observer, write } = this.#given
    const isDelta = state.subscription.protocol === 'delta'
    const version = isDelta && !shownVersions.has(type) ? '' : framer.version(sent.resources)
    const envelope = { typeUrl: typeUrls[type], nonce: sent.nonce, version }
    const parts = isDelta
      ? framer.delta(sent.resources, sent.removed, envelope)
      : framer.sotw(sent.resources, this.#wantsWrapped(), envelope)
    state.sentCount++
    state.lastSentAt = clock.wall()
    state.writtenAt = clock.now()
    state.flushedAt = undefined
    state.inFlightReceivedAt = state.receivedAt
    state.receivedAt = undefined
    write(parts, () => {
      state.flushedAt ??= clock.now()
    })
    const size = parts.reduce((sum, part) => sum + part.length, 0)
    observer.written(type, size, state.inFlightReceivedAt)
    if (size > largeBytes && this.node.userAgent.startsWith('gRPC')) this.#given.fault('oversized', { type, bytes: size })
    if (type === 'cluster') this.#oweAssignments(sent.changed)
  }

  /** A cluster that is sent again warms again, and Envoy does not ask again for the assignment that it waits for (O4). */
  #oweAssignments(clusters: readonly Resource[]): void {
    const endpoints = this.#types.get('endpoint')?.subscription
    for (const { requires } of clusters) {
      for (const key of requires) {
        if (key.type !== 'endpoint') continue
        if (endpoints === undefined) this.#owed.add(key.name)
        else endpoints.resend(key.name)
      }
    }
    this.#marked.add('endpoint')
  }

  /** A client that reconnects tells which assignments it has only after it was sent its clusters. */
  #payOwed(endpoints: Subscription): void {
    for (const name of this.#owed) endpoints.resend(name)
    this.#owed.clear()
  }

  #view(type: ResourceType): View {
    let view = this.#views.get(type)
    if (view === undefined) {
      const { cache } = this.#given
      view = {
        get: name => this.served(type, name),
        all: () => cache.all(type, this.node.place),
        good: name => cache.good(type, name),
        held: resource => this.#gating.held(resource),
      }
      this.#views.set(type, view)
    }
    return view
  }

  /** While something waits or is unanswered, looks again when its time is up. */
  #lookAgainLater(): void {
    if (this.#sleep !== undefined) return
    const { clock } = this.#given
    const now = clock.now()
    let deadline = this.#gating.deadline ?? Infinity
    // What the socket has not taken yet is not overdue; see `write` (L4).
    for (const { subscription, flushedAt } of this.#types.values())
      if (subscription.inFlight !== undefined) deadline = Math.min(deadline, (flushedAt ?? now) + patienceMs)
    if (deadline === Infinity) return
    this.#sleep = new AbortController()
    void clock.sleep(Math.max(0, deadline - now), this.#sleep.signal).then(() => {
      this.#sleep = undefined
      if (this.#isEnded) return
      this.#expire()
      this.flush()
      this.#gating.prune()
    })
  }

  #expire(): void {
    const { clock, cut, fault, observer } = this.#given
    const now = clock.now()
    for (const [type, { subscription, writtenAt, flushedAt }] of this.#types) {
      if (subscription.inFlight === undefined) continue
      if (flushedAt === undefined) {
        if (now - writtenAt >= stuckMs) {
          cut('stuck', `nothing was read for ${String(stuckMs / 1000)} s`)
          return
        }
      } else if (now - flushedAt >= patienceMs) {
        subscription.expire()
        this.#marked.add(type)
        observer.bound?.('answer')
        fault('unanswered', { type })
      }
    }
  }

  #wantsWrapped(): boolean {
    const features = this.node.clientFeatures
    return features.includes('xds.config.resource-in-sotw') || features.includes('supports-resource-in-sotw')
  }
}

/** A type of which there is nothing. */
const nothing: View = { get: () => undefined, all: () => [], good: () => undefined, held: () => false }
