import type { DeltaRequest, SotwRequest } from './request.ts'
import type { Resource } from './resource.ts'
import type { ResourceType } from './type-urls.ts'

/** What a stream reads while it makes a response. */
export interface View {
  get(name: string): Resource | undefined
  all(): Iterable<Resource>
  /** The resource has to wait: something it requires has not been acknowledged on this stream. */
  held(resource: Resource): boolean
}

/** A response that was sent and is neither acknowledged nor rejected. */
export interface Sent {
  readonly nonce: string
  readonly resources: readonly Resource[]
  readonly removed: readonly string[]
}

/** What a request told about the response before it. */
export type Verdict = { readonly kind: 'ack' | 'nack'; readonly sent: Sent } | { readonly kind: 'none' }

/** Names that a request began or ceased to watch; `*` stands for all. */
export interface WatchChange {
  readonly add: readonly string[]
  readonly drop: readonly string[]
}

export interface Outcome {
  readonly verdict: Verdict
  readonly watch: WatchChange
}

const wildcardTypes: ReadonlySet<ResourceType> = new Set(['cluster', 'listener'])

/**
 * What one client wants of one type on one stream, what it was sent and what it acknowledged: a state machine without sockets, clock or
 * cache. Rules by their letters in reference/xds.md section 1. Two small request parsers, one state.
 */
export class Subscription {
  readonly type: ResourceType
  readonly protocol: 'sotw' | 'delta'
  /** In state of the world, a response of these types is the whole truth (S3); of the others, a part (S4). */
  readonly #fullState: boolean
  readonly #names = new Set<string>()
  #wildcard = false
  /** The client has named something on this stream: an empty list no longer means everything (S12). */
  #named = false
  #begun = false
  /** Name → version the client was last sent, or said to have; a NACK changes nothing here, so that it starts no loop (C10, D14). */
  readonly #sent = new Map<string, string>()
  readonly #acked = new Map<string, Resource>()
  /** Name → version the client refused. */
  readonly #rejected = new Map<string, string>()
  /** Names to look at again. */
  readonly #dirty = new Set<string>()
  /** Names to send even if the client has this version (D6, S8, O4), or to answer as absent (D7). */
  readonly #forced = new Set<string>()
  /** The next response goes out even if it is empty (S1, D1). */
  #mustReply = false
  #inFlight: Sent | undefined

  constructor(type: ResourceType, protocol: 'sotw' | 'delta') {
    this.type = type
    this.protocol = protocol
    this.#fullState = protocol === 'sotw' && wildcardTypes.has(type)
  }

  get inFlight(): Sent | undefined {
    return this.#inFlight
  }

  /** How many names it watches. */
  get subscribed(): number | 'all' {
    return this.#wildcard ? 'all' : this.#names.size
  }

  /** Everything it watches, for taking the watches back. */
  get watched(): readonly string[] {
    return [...this.#names, ...(this.#wildcard ? ['*'] : [])]
  }

  /** Something is left to send, now or once it may be. */
  get pending(): number {
    return this.#dirty.size + this.#forced.size
  }

  covers(name: string): boolean {
    return this.#wildcard || this.#names.has(name)
  }

  acked(name: string): Resource | undefined {
    return this.#acked.get(name)
  }

  ackedResources(): Iterable<Resource> {
    return this.#acked.values()
  }

  sentVersion(name: string): string | undefined {
    return this.#sent.get(name)
  }

  rejectedVersion(name: string): string | undefined {
    return this.#rejected.get(name)
  }

  knownNames(): Iterable<string> {
    return new Set([...this.#names, ...this.#sent.keys()])
  }

  /** A watched resource changed or is gone. */
  changed(name: string): void {
    if (this.covers(name)) this.#dirty.add(name)
  }

  /** Sends a resource again though it did not change: its cluster was sent, and waits for its assignment (O4). */
  resend(name: string): void {
    if (this.covers(name) && this.#sent.has(name)) this.#forced.add(name)
  }

  /** Takes a Delta request (D1 to D13). `current`: names of everything there is, for a wildcard. */
  delta(request: DeltaRequest, current: () => Iterable<string>): Outcome {
    const verdict = this.#verdict(request)
    const first = !this.#begun
    this.#begun = true
    const add: string[] = []
    const drop: string[] = []
    if (first) {
      for (const [name, version] of request.initialVersions) {
        this.#sent.set(name, version)
        this.#dirty.add(name)
      }
    }
    const legacyWildcard = first && request.subscribe.length === 0 && request.unsubscribe.length === 0 && wildcardTypes.has(this.type)
    for (const name of legacyWildcard ? ['*'] : request.subscribe) {
      if (name === '*') this.#openWildcard(current, add)
      else {
        if (!this.#names.has(name)) add.push(name)
        this.#names.add(name)
        // Only a reconnecting client tells what it has, and what it has need not be sent (D4); any other naming is a question (D6, D7).
        if (first && request.initialVersions.has(name)) this.#dirty.add(name)
        else this.#forced.add(name)
      }
    }
    for (const name of request.unsubscribe) {
      if (name === '*') this.#closeWildcard(drop)
      else if (this.#names.delete(name)) {
        drop.push(name)
        if (this.#wildcard) this.#forced.add(name)
        else this.#forget(name)
      }
    }
    for (const name of this.#dirty) if (!this.covers(name)) this.#forget(name)
    return { verdict, watch: { add, drop } }
  }

  /** Takes a state-of-the-world request (S1 to S17). */
  sotw(request: SotwRequest, current: () => Iterable<string>): Outcome {
    const verdict = this.#verdict(request)
    const add: string[] = []
    const drop: string[] = []
    const wildcard = request.names.includes('*') || (request.names.length === 0 && !this.#named && wildcardTypes.has(this.type))
    this.#named ||= request.names.length > 0
    const wanted = new Set(request.names)
    wanted.delete('*')
    if (wildcard && !this.#wildcard) this.#openWildcard(current, add)
    for (const name of wanted) {
      if (this.#names.has(name)) continue
      this.#names.add(name)
      add.push(name)
      this.#forced.add(name)
      // A full-state answer about a new name is the whole set, be the name in it or not (S5, S6, S17).
      if (this.#fullState) this.#mustReply = true
    }
    if (!wildcard && this.#wildcard) this.#closeWildcard(drop)
    for (const name of [...this.#names]) {
      if (wanted.has(name)) continue
      this.#names.delete(name)
      drop.push(name)
      if (!this.#wildcard) this.#forget(name)
    }
    return { verdict, watch: { add, drop } }
  }

  /**
   * What to send now, or undefined: nothing while a response is un-ACKed (D15), nothing if nothing changed (C18). What is given is taken
   * as sent under `nonce`.
   */
  next(view: View, nonce: () => string): Sent | undefined {
    if (this.#inFlight !== undefined) return undefined
    if (!this.#mustReply && this.#dirty.size === 0 && this.#forced.size === 0) return undefined
    const found = this.#fullState ? this.#wholeSet(view) : this.#changes(view)
    const empty = found === undefined || (found.resources.length === 0 && found.removed.length === 0)
    if (empty && !this.#mustReply) return undefined
    this.#mustReply = false
    this.#inFlight = { nonce: nonce(), ...(found ?? { resources: [], removed: [] }) }
    return this.#inFlight
  }

  /** Gives a response up that was never answered, so that others can go out. */
  expire(): void {
    this.#inFlight = undefined
  }

  #changes(view: View): Pick<Sent, 'resources' | 'removed'> {
    const resources: Resource[] = []
    const removed: string[] = []
    for (const name of new Set([...this.#dirty, ...this.#forced])) {
      const resource = this.covers(name) ? view.get(name) : undefined
      if (resource === undefined) {
        const known = this.#sent.delete(name)
        // State of the world has no word for "there is none" (S5).
        if (this.protocol === 'delta' && (known || this.#forced.has(name))) removed.push(name)
      } else if (this.#forced.has(name) ? this.#rejected.get(name) !== resource.version : this.#sent.get(name) !== resource.version) {
        if (view.held(resource)) continue
        resources.push(resource)
        this.#sent.set(name, resource.version)
      } else if (!this.#acked.has(name) && this.#rejected.get(name) !== resource.version) {
        // A reconnecting client said that it has just this version.
        this.#acked.set(name, resource)
      }
      this.#dirty.delete(name)
      this.#forced.delete(name)
    }
    return { resources, removed }
  }

  /** All resources, each in the newest version that may go out; undefined when that is what the client was sent last. */
  #wholeSet(view: View): Pick<Sent, 'resources' | 'removed'> | undefined {
    const waiting = new Set<string>()
    const resources: Resource[] = []
    const candidates = this.#wildcard ? view.all() : [...this.#names].flatMap(name => view.get(name) ?? [])
    for (const resource of candidates) {
      const refused = this.#rejected.get(resource.name) === resource.version
      const held = !refused && this.#sent.get(resource.name) !== resource.version && view.held(resource)
      if (held) waiting.add(resource.name)
      // In the place of what must wait or was refused goes the last good version, so that nothing else is held up (DESIGN.md, step 9).
      const chosen = refused || held ? this.#acked.get(resource.name) : resource
      if (chosen !== undefined) resources.push(chosen)
    }
    const same = resources.length === this.#sent.size && resources.every(one => this.#sent.get(one.name) === one.version)
    const asked = [...this.#forced].some(name => !waiting.has(name))
    keepOnly(this.#dirty, waiting)
    keepOnly(this.#forced, waiting)
    if (same && !asked && !this.#mustReply) return undefined
    this.#sent.clear()
    for (const resource of resources) this.#sent.set(resource.name, resource.version)
    return { resources, removed: [] }
  }

  /** Pairs a request with the response it answers. A stale or unknown nonce answers nothing (S9, D12); an error alone marks a NACK (C9). */
  #verdict(request: DeltaRequest | SotwRequest): Verdict {
    const sent = this.#inFlight
    if (sent === undefined || request.nonce !== sent.nonce) return { kind: 'none' }
    this.#inFlight = undefined
    if (request.error === undefined) {
      for (const resource of sent.resources) {
        this.#acked.set(resource.name, resource)
        this.#rejected.delete(resource.name)
      }
      for (const name of sent.removed) this.#acked.delete(name)
      if (this.#fullState) {
        const kept = new Set(sent.resources.map(resource => resource.name))
        for (const name of this.#acked.keys()) if (!kept.has(name)) this.#acked.delete(name)
      }
      return { kind: 'ack', sent }
    }
    this.#reject(sent, request.error.message)
    return { kind: 'nack', sent }
  }

  /**
   * Puts the resources to blame aside: those the message names, else all that are new to the client. The others of the response go out
   * again without them, because a client may have dropped the whole response (C13).
   */
  #reject(sent: Sent, message: string): void {
    const fresh = sent.resources.filter(resource => this.#acked.get(resource.name)?.version !== resource.version)
    const named = fresh.filter(resource => names(message, resource.name))
    const blamed = new Set(named.length > 0 ? named : fresh)
    for (const resource of blamed) this.#rejected.set(resource.name, resource.version)
    if (named.length > 0) for (const resource of fresh) if (!blamed.has(resource)) this.#forced.add(resource.name)
    if (this.#fullState && blamed.size > 0) {
      // The last response is not what the client holds: let the next one be compared with nothing.
      this.#sent.clear()
      for (const resource of sent.resources) this.#dirty.add(resource.name)
    }
  }

  #openWildcard(current: () => Iterable<string>, add: string[]): void {
    if (!this.#wildcard) add.push('*')
    this.#wildcard = true
    this.#mustReply = true
    for (const name of current()) this.#dirty.add(name)
  }

  #closeWildcard(drop: string[]): void {
    if (!this.#wildcard) return
    this.#wildcard = false
    this.#mustReply = false
    drop.push('*')
    for (const name of [...this.#sent.keys(), ...this.#dirty]) if (!this.#names.has(name)) this.#forget(name)
  }

  /** The client no longer watches a name, so what it holds of it is unknown: asked again, it is sent again (S8). */
  #forget(name: string): void {
    this.#sent.delete(name)
    this.#acked.delete(name)
    this.#rejected.delete(name)
    this.#dirty.delete(name)
    this.#forced.delete(name)
  }
}

/** Whether an error message names a resource: as a whole word, since names may be parts of each other. */
function names(message: string, name: string): boolean {
  for (let at = message.indexOf(name); at >= 0; at = message.indexOf(name, at + 1)) {
    const before = message[at - 1] ?? ' '
    const after = message[at + name.length] ?? ' '
    if (!/[\w/.|-]/.test(before) && !/[\w/|-]/.test(after)) return true
  }
  return false
}

function keepOnly(set: Set<string>, kept: ReadonlySet<string>): void {
  for (const item of set) if (!kept.has(item)) set.delete(item)
}
