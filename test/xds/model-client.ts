import type { ResourceCache } from '../../src/xds/cache.ts'
import type { ResponseFramer } from '../../src/xds/frames.ts'
import type { PushQueue } from '../../src/xds/push-queue.ts'
import type { DiscoveryRequest } from '../../src/xds/request.ts'
import { Stream } from '../../src/xds/stream.ts'
import { type ResourceType, typeOfUrl, typeUrls } from '../../src/xds/type-urls.ts'
import type { ManualClock } from '../envoy/manual-clock.ts'
import { decodeResponse, type Protocol } from './raw-client.ts'
import { contentOf } from './resources.ts'

export interface ModelGiven {
  readonly cache: ResourceCache
  readonly framer: ResponseFramer
  readonly queue: PushQueue
  readonly clock: ManualClock
}

export interface Manner {
  /** Refused responses are applied as far as they are good, or not at all (C13). */
  readonly appliesPart: boolean
  /** A NACK tells who is at fault. */
  readonly namesCulprits: boolean
}

/** The types whose state-of-the-world responses are the whole truth. */
const wholeTypes: ReadonlySet<ResourceType> = new Set(['cluster', 'listener'])

interface Watch {
  readonly names: Set<string>
  nonce: string
  version: string
}

/**
 * A client in memory, beside a real stream: what it says and what it is sent lies in two queues until the test delivers it, so that every
 * crossing of messages can happen. It refuses contents that begin with `bad`.
 */
export class ModelClient {
  readonly protocol: Protocol
  /** What it has, by type and name: the content. */
  readonly picture = new Map<ResourceType, Map<string, string>>()
  /** Names that occurred twice in one response. */
  readonly twice: string[] = []
  responses = 0
  readonly #stream: Stream
  readonly #manner: Manner
  readonly #watches = new Map<ResourceType, Watch>()
  readonly #inbox: Buffer[] = []
  readonly #outbox: { readonly type: ResourceType; readonly request: DiscoveryRequest }[] = []

  constructor(protocol: Protocol, given: ModelGiven, manner: Manner) {
    this.protocol = protocol
    this.#manner = manner
    this.#stream = new Stream({
      ...given,
      observer: { written: () => undefined, acked: () => undefined, nacked: () => undefined },
      noncePrefix: 'n',
      node: { id: 'model', cluster: '', userAgent: '', clientFeatures: [], place: undefined },
      fault: () => undefined,
      cut: (_, text) => {
        throw new Error(text)
      },
      write: (parts, flushed) => {
        this.#inbox.push(Buffer.concat(parts))
        flushed()
      },
    })
    this.#stream.open()
  }

  get stream(): Stream {
    return this.#stream
  }

  get idle(): boolean {
    return this.#inbox.length === 0 && this.#outbox.length === 0
  }

  has(type: ResourceType): ReadonlyMap<string, string> {
    return this.picture.get(type) ?? new Map<string, string>()
  }

  covers(type: ResourceType, name: string): boolean {
    const names = this.#watches.get(type)?.names
    return names !== undefined && (names.has(name) || names.has('*'))
  }

  /** Changes what it watches; what it does not watch any more it forgets. It does not let go of an assignment of a cluster that it has. */
  watch(type: ResourceType, add: readonly string[], wishes: readonly string[]): void {
    const watch = this.#watchOf(type)
    const drop = type === 'endpoint' ? wishes.filter(name => !this.#assignments().includes(name)) : wishes
    const known = add.filter(name => !watch.names.has(name))
    for (const name of add) watch.names.add(name)
    const gone = drop.filter(name => watch.names.delete(name))
    // Nothing to say, and in state of the world it would be a repetition.
    if (known.length === 0 && gone.length === 0 && !(this.protocol === 'delta' && add.length > 0)) return
    this.#keepCovered(type)
    this.#say(type, { subscribe: add, unsubscribe: gone })
  }

  /** The server takes the oldest request. */
  deliverRequest(): boolean {
    const next = this.#outbox.shift()
    if (next !== undefined) this.#stream.request(next.type, next.request)
    return next !== undefined
  }

  /** The client takes the oldest response and answers it. */
  deliverResponse(): boolean {
    const bytes = this.#inbox.shift()
    if (bytes === undefined) return false
    this.responses++
    const response = decodeResponse(this.protocol, bytes)
    const type = typeOfUrl(response.typeUrl)
    if (type === undefined) throw new Error(response.typeUrl)
    const names = [...response.names, ...response.removed]
    if (new Set(names).size !== names.length) this.twice.push(`${type}: ${names.join()}`)
    const watch = this.#watchOf(type)
    watch.nonce = response.nonce
    const contents = response.names.map((name): [string, string] => [name, contentOf(type, response.bodies[name] ?? {})])
    const bad = contents.filter(([name, content]) => content.startsWith('bad') && this.covers(type, name)).map(([name]) => name)
    if (bad.length === 0 || this.#manner.appliesPart) this.#apply(type, contents, response.removed, new Set(bad))
    if (bad.length === 0) watch.version = response.version
    const message = this.#manner.namesCulprits ? bad.map(name => `${name}: no`).join(', ') : 'no'
    this.#say(type, { error: bad.length === 0 ? undefined : { code: 13, message } })
    const missing = type === 'cluster' ? this.#assignments().filter(name => !this.covers('endpoint', name)) : []
    if (missing.length > 0) this.watch('endpoint', missing, [])
    return true
  }

  end(): void {
    this.#stream.end()
  }

  #apply(type: ResourceType, contents: readonly (readonly [string, string])[], removed: readonly string[], bad: ReadonlySet<string>): void {
    const have = this.picture.get(type) ?? new Map<string, string>()
    this.picture.set(type, have)
    if (this.protocol === 'sotw' && wholeTypes.has(type)) {
      const listed = new Set(contents.map(([name]) => name))
      for (const name of [...have.keys()]) if (!listed.has(name)) have.delete(name)
    }
    for (const [name, content] of contents) if (this.covers(type, name) && !bad.has(name)) have.set(name, content)
    for (const name of removed) have.delete(name)
  }

  /** Assignments that its clusters name, as the content of a cluster tells. */
  #assignments(): string[] {
    return [...this.has('cluster').values()].flatMap(content => [...content.matchAll(/endpoint (\w+)/g)].map(match => match[1] ?? ''))
  }

  #keepCovered(type: ResourceType): void {
    const have = this.picture.get(type)
    for (const name of [...(have?.keys() ?? [])]) if (!this.covers(type, name)) have?.delete(name)
  }

  #say(
    type: ResourceType,
    {
      subscribe = [],
      unsubscribe = [],
      error,
    }: {
      readonly subscribe?: readonly string[]
      readonly unsubscribe?: readonly string[]
      readonly error?: { readonly code: number; readonly message: string } | undefined
    },
  ): void {
    const watch = this.#watchOf(type)
    const base = { node: undefined, typeUrl: typeUrls[type], error }
    const answers = subscribe.length === 0 && unsubscribe.length === 0
    const request: DiscoveryRequest =
      this.protocol === 'delta'
        ? { ...base, protocol: 'delta', nonce: answers ? watch.nonce : '', subscribe, unsubscribe, initialVersions: new Map() }
        : { ...base, protocol: 'sotw', nonce: watch.nonce, version: watch.version, names: [...watch.names] }
    this.#outbox.push({ type, request })
  }

  #watchOf(type: ResourceType): Watch {
    let watch = this.#watches.get(type)
    if (watch === undefined) this.#watches.set(type, (watch = { names: new Set(), nonce: '', version: '' }))
    return watch
  }
}
