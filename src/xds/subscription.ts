import type { Copies, Holder } from './copies.ts'
import { type Content, Delivery, type Sent, type Verdict } from './delivery.ts'
import { BitSet, Interner } from './interner.ts'
import type { Quarantine } from './quarantine.ts'
import type { DeltaRequest, SotwRequest } from './request.ts'
import type { Resource } from './resource.ts'
import type { ResourceType } from './type-urls.ts'

/** What a stream reads while it makes a response. */
export interface View {
  get(name: string): Resource | undefined
  /** All but what exists on demand. */
  all(): Iterable<Resource>
  /** The newest version that any client acknowledged. */
  good(name: string): Resource | undefined
  /** The resource has to wait: something it requires has not been acknowledged on this stream. */
  held(resource: Resource): boolean
}

/** Names that a request began or ceased to watch; `*` stands for all. */
interface WatchChange {
  readonly add: string[]
  readonly drop: string[]
}

export interface Outcome {
  readonly verdict: Verdict
  readonly watch: { readonly [part in keyof WatchChange]: readonly string[] }
}

/** Of a request that names nothing new, as most ACKs. */
const sameWatch: WatchChange = { add: [], drop: [] }

/** In state of the world a client says that it has something, not what of which name. */
const unknownVersion = ''

/** In state of the world a response of these types is the whole truth (S3), and an empty first request means all of them (S1, D1). */
const wholeTypes: ReadonlySet<ResourceType | undefined> = new Set(['cluster', 'listener'])

/** What one client wants of one type on one stream, was sent and acknowledged: a state machine without sockets, clock or cache (xds.md 1). */
export class Subscription {
  readonly protocol: 'sotw' | 'delta'
  readonly #type: ResourceType | undefined
  readonly #fullState: boolean
  readonly #delivery: Delivery
  readonly #copies: Copies
  readonly #quarantine: Quarantine
  readonly #names: BitSet<string>
  #characters = 0
  #wildcard = false
  /** The client has named something on this stream: an empty list no longer means everything (S12). */
  #named = false
  #begun = false
  /** Names to look at again. */
  readonly #dirty = new Set<string>()
  /** Names to send even if the client has this version (D6, S8, O4), or to answer as absent (D7). */
  readonly #forced = new Set<string>()
  /** The next response goes out even if it is empty (S1, D1). */
  #mustReply = false

  /**
   * `type`: undefined for one that we do not serve (C8). `holder`: is told what the client may be using. `names`: those of this type, of all
   * clients.
   */
  constructor(type: ResourceType | undefined, protocol: 'sotw' | 'delta', holder: Holder, names = new Interner<string>()) {
    this.#type = type
    this.protocol = protocol
    this.#fullState = protocol === 'sotw' && wholeTypes.has(type)
    this.#delivery = new Delivery({ fullState: this.#fullState, removalsNeverRejected: type === 'secret' }, holder, names)
    this.#names = new BitSet(names)
    this.#copies = this.#delivery.copies
    this.#quarantine = this.#delivery.quarantine
  }

  get inFlight(): Sent | undefined {
    return this.#delivery.inFlight
  }

  /** How many names it watches. */
  get subscribed(): number | 'all' {
    return this.#wildcard ? 'all' : this.#names.size
  }

  /** How long the names are that it watches, all together. */
  get characters(): number {
    return this.#characters
  }

  /** Everything it watches, for taking the watches back. */
  get watched(): readonly string[] {
    return [...this.#names, ...(this.#wildcard ? ['*'] : [])]
  }

  /** How many names may have something left to send, now or once it may be. */
  get pending(): number {
    return this.#dirty.size + this.#forced.size
  }

  /** There may be something to send now: `next` is worth its while. */
  get isDue(): boolean {
    return this.inFlight === undefined && (this.#mustReply || this.pending > 0 || this.#quarantine.isSearching)
  }

  /** How many resources the client refused in the version they have. */
  get quarantined(): number {
    return this.#quarantine.size
  }

  /** Their names. */
  get refusedNames(): Iterable<string> {
    return this.#quarantine.names
  }

  covers(name: string): boolean {
    return this.#wildcard || this.#names.has(name)
  }

  acked(name: string): Resource | undefined {
    return this.#copies.acked(name)
  }

  sentVersion(name: string): string | undefined {
    return this.#copies.sentVersion(name)
  }

  refuses(resource: Resource): boolean {
    return this.#quarantine.refuses(resource)
  }

  /** The client came back with a copy of its own, which is better than a tentative resource (reference/discovery.md 5.7). */
  keepsOwn(resource: Resource): boolean {
    return resource.tentative && this.#copies.isTold(resource.name)
  }

  knownNames(): Iterable<string> {
    return new Set([...this.#names, ...this.#copies.names()])
  }

  /** A watched resource changed or is gone. */
  changed(name: string): void {
    if (this.covers(name)) this.#dirty.add(name)
  }

  /** Sends a resource again though it did not change: its cluster was sent, and waits for its assignment (O4). */
  resend(name: string): void {
    if (this.covers(name) && this.#copies.sentVersion(name) !== undefined) this.#forced.add(name)
  }

  /** Takes a Delta request (D1 to D13). */
  delta(request: DeltaRequest, view: View): Outcome {
    const verdict = this.#verdict(request)
    const first = !this.#begun
    this.#begun = true
    if (!first && verdict.kind === 'ack' && request.subscribe.length + request.unsubscribe.length === 0)
      return { verdict, watch: sameWatch }
    const watch: WatchChange = { add: [], drop: [] }
    if (first) {
      for (const [name, version] of request.initialVersions) {
        this.#copies.told(name, version)
        this.#dirty.add(name)
      }
    }
    const legacyWildcard = first && request.subscribe.length === 0 && request.unsubscribe.length === 0 && this.#emptyMeansAll
    for (const name of legacyWildcard ? ['*'] : request.subscribe) {
      if (name === '*') {
        this.#openWildcard(view, watch)
        continue
      }
      this.#addName(name, watch)
      this.#quarantine.release(name)
      // Only a reconnecting client tells what it has, and what it has need not be sent (D4); any other naming is a question (D6, D7).
      if (first && request.initialVersions.has(name)) this.#dirty.add(name)
      else this.#forced.add(name)
    }
    for (const name of request.unsubscribe) {
      if (name === '*') this.#closeWildcard(watch)
      else if (this.#dropName(name, watch)) {
        // Whoever still watches everything is told what the name is now (D11).
        if (this.#wildcard) this.#forced.add(name)
        else this.#forget(name)
      }
    }
    for (const name of this.#dirty) if (!this.covers(name)) this.#forget(name)
    return { verdict, watch }
  }

  /** Takes a state-of-the-world request (S1 to S17). Its names are adopted even if its nonce is stale (S9). */
  sotw(request: SotwRequest, view: View): Outcome {
    const verdict = this.#verdict(request)
    const first = !this.#begun
    this.#begun = true
    // Which of them it has it does not say; only in the face of a tentative resource does that count.
    if (first && request.version !== '' && !this.#fullState) for (const name of request.names) this.#copies.told(name, unknownVersion)
    const wildcard = request.names.includes('*') || (request.names.length === 0 && !this.#named && this.#emptyMeansAll)
    this.#named ||= request.names.length > 0
    if (wildcard === this.#wildcard && this.#watchesJust(request.names)) return { verdict, watch: sameWatch }
    const watch: WatchChange = { add: [], drop: [] }
    if (wildcard && !this.#wildcard) this.#openWildcard(view, watch)
    const named = new Set(request.names)
    named.delete('*')
    for (const name of named) {
      if (this.#names.has(name)) continue
      this.#addName(name, watch)
      this.#forced.add(name)
      // A full-state answer about a new name is the whole set, be the name in it or not (S5, S6, S17).
      if (this.#fullState) this.#mustReply = true
    }
    if (!wildcard && this.#wildcard) this.#closeWildcard(watch)
    for (const name of this.#names) {
      if (named.has(name)) continue
      this.#dropName(name, watch)
      if (!this.#wildcard) this.#forget(name)
    }
    // Who watches nothing is sent nothing (S14).
    if (!this.#wildcard && this.#names.size === 0) this.#mustReply = false
    return { verdict, watch }
  }

  /**
   * What to send now, or undefined: nothing while a response is un-ACKed (D15), nothing if nothing changed (C18). What is given is taken
   * as sent under `nonce`.
   */
  next(view: View, nonce: () => string): Sent | undefined {
    if (!this.isDue) return undefined
    let content = this.#content(view)
    while (content === undefined) {
      const trial = this.#quarantine.takeTrial()
      if (trial === undefined) return undefined
      for (const name of trial) if (this.covers(name)) this.#forced.add(name)
      content = this.#content(view)
    }
    this.#mustReply = false
    return this.#delivery.begin({ nonce: nonce(), ...content })
  }

  /** Gives a response up that was not answered in time, so that others can go out (D15). */
  expire(): void {
    this.#delivery.expire()
  }

  /** Forgets everything; what was held for the client is released. */
  end(): void {
    this.#names.clear()
    this.#copies.forgetAll()
  }

  get #emptyMeansAll(): boolean {
    // Whoever asks for everything of a type that we do not have is to learn that there is nothing (C8).
    return wholeTypes.has(this.#type) || this.#type === undefined
  }

  #content(view: View): Content | undefined {
    if (!this.#mustReply && this.pending === 0) return undefined
    // The first answer ends the client's wait for this type, so it must not lack what is only held back.
    if (this.#mustReply && this.#anyHeld(view)) return undefined
    const content = this.#fullState ? this.#wholeSet(view) : this.#changes(view)
    if (content === undefined) return undefined
    return this.#mustReply || content.resources.length > 0 || content.removed.length > 0 || this.#fullState ? content : undefined
  }

  #anyHeld(view: View): boolean {
    const names = this.#fullState ? this.#candidates(view).map(resource => resource.name) : [...this.#dirty, ...this.#forced]
    return names.some(name => {
      const resource = this.#due(name, view)
      return resource !== undefined && this.#copies.sentVersion(name) !== resource.version && view.held(resource)
    })
  }

  #changes(view: View): Content {
    const resources: Resource[] = []
    const content = { resources, removed: [], changed: resources }
    for (const name of this.#dirty) this.#settle(name, view, content)
    for (const name of this.#forced) if (!this.#dirty.has(name)) this.#settle(name, view, content)
    return content
  }

  /** Adds what is to be said of one name; it stays to be looked at again while it is held. */
  #settle(name: string, view: View, { resources, removed }: { readonly resources: Resource[]; readonly removed: string[] }): void {
    const resource = this.#due(name, view)
    const forced = this.#forced.has(name)
    if (resource === undefined) {
      const known = this.#copies.sentVersion(name) !== undefined
      this.#copies.sendRemoval(name)
      this.#quarantine.release(name)
      // State of the world has no word for "there is none" (S5): such a client keeps what it has until it lets go of the name.
      if (this.protocol === 'delta' && (known || forced)) removed.push(name)
    } else if (this.#quarantine.refuses(resource)) {
      // Nothing to say until it changes (C10).
    } else if (forced || this.#copies.sentVersion(name) !== resource.version) {
      if (view.held(resource) || this.keepsOwn(resource)) return
      resources.push(resource)
      this.#copies.send(resource)
      this.#quarantine.release(name)
    } else this.#copies.confirm(resource)
    this.#dirty.delete(name)
    this.#forced.delete(name)
  }

  #candidates(view: View): Resource[] {
    const named = [...this.#names].flatMap(name => view.get(name) ?? [])
    return this.#wildcard ? [...view.all(), ...named.filter(resource => resource.onDemand)] : named
  }

  /** What the client is to have under a name; what exists on demand is only for those who named it. */
  #due(name: string, view: View): Resource | undefined {
    const resource = this.covers(name) ? view.get(name) : undefined
    return resource?.onDemand === true && !this.#names.has(name) ? undefined : resource
  }

  /** All resources, each in the newest version that may go out; undefined when that is what the client was sent last. */
  #wholeSet(view: View): Content | undefined {
    const waiting = new Set<string>()
    const resources: Resource[] = []
    const candidates = this.#candidates(view)
    if (this.#quarantine.size > 0) this.#quarantine.keep(new Set(candidates.map(resource => resource.name)))
    for (const resource of candidates) {
      const { name, version } = resource
      const refused = this.#quarantine.refuses(resource)
      const held = !refused && this.#copies.sentVersion(name) !== version && view.held(resource)
      if (held) waiting.add(name)
      if (!refused && !held) this.#quarantine.release(name)
      // In the place of what must wait or was refused goes the last good version, so that nothing else is held up (DESIGN.md, step 9).
      const chosen = refused ? (this.#copies.acked(name) ?? view.good(name)) : held ? this.#copies.acked(name) : resource
      if (chosen !== undefined && !(refused && this.#quarantine.refuses(chosen))) resources.push(chosen)
    }
    const changed = resources.filter(
      ({ name, version }) => this.#copies.sentVersion(name) !== version || this.#copies.acked(name)?.version !== version,
    )
    const same = resources.length === this.#copies.sentCount && resources.every(one => this.#copies.sentVersion(one.name) === one.version)
    const asked = [...this.#forced].some(name => !waiting.has(name))
    keepOnly(this.#dirty, waiting)
    keepOnly(this.#forced, waiting)
    if (same && !asked && !this.#mustReply) return undefined
    const kept = new Set(resources.map(resource => resource.name))
    for (const name of [...this.#copies.names()]) if (!kept.has(name)) this.#copies.sendRemoval(name)
    for (const resource of resources) this.#copies.send(resource)
    return { resources, removed: [], changed }
  }

  /** What the request says about the response before it; what a NACK left unsaid is to be said again. */
  #verdict({ nonce, error }: DeltaRequest | SotwRequest): Verdict {
    const verdict = this.#delivery.answered(nonce, error, name => this.covers(name))
    if (verdict.kind === 'nack') {
      for (const resource of verdict.blamed) this.#dirty.add(resource.name)
      for (const name of verdict.again) if (this.covers(name)) this.#forced.add(name)
    }
    return verdict
  }

  #addName(name: string, watch: WatchChange): void {
    if (!this.#names.add(name)) return
    this.#characters += name.length
    watch.add.push(name)
  }

  #dropName(name: string, watch: WatchChange): boolean {
    if (!this.#names.delete(name)) return false
    this.#characters -= name.length
    watch.drop.push(name)
    return true
  }

  /** The names of a request are just those watched: the common case of an ACK, told cheaply. */
  #watchesJust(names: readonly string[]): boolean {
    let others = 0
    for (const name of names) {
      if (name === '*') others++
      else if (!this.#names.has(name)) return false
    }
    // A list that repeats a name is longer, and looked at more closely.
    return names.length - others === this.#names.size
  }

  #openWildcard(view: View, watch: WatchChange): void {
    if (!this.#wildcard) watch.add.push('*')
    this.#wildcard = true
    this.#mustReply = true
    for (const resource of view.all()) this.#dirty.add(resource.name)
  }

  #closeWildcard(watch: WatchChange): void {
    if (!this.#wildcard) return
    this.#wildcard = false
    this.#mustReply = false
    watch.drop.push('*')
    for (const name of [...this.#copies.names(), ...this.#dirty, ...this.#forced]) if (!this.#names.has(name)) this.#forget(name)
  }

  /** The client no longer watches a name, so what it holds of it is unknown: asked again, it is sent again (S8). */
  #forget(name: string): void {
    this.#copies.forget(name)
    this.#quarantine.release(name)
    this.#dirty.delete(name)
    this.#forced.delete(name)
  }
}

function keepOnly(set: Set<string>, kept: ReadonlySet<string>): void {
  for (const item of set) if (!kept.has(item)) set.delete(item)
}
