import { type ResourceType, resourceTypes, typeOfUrl, typeUrls } from '../../src/xds/type-urls.ts'
import type { RawResponse, RawStream } from './raw-client.ts'
import { contentOf } from './resources.ts'

interface Told {
  readonly names: Set<string>
  nonce: string
  version: string
}

/**
 * A client that keeps the books of the protocol on one ADS stream (names, nonces, versions), so that one script drives both protocols. What
 * it answers, and when, is the script's.
 */
export class Peer {
  readonly stream: RawStream
  readonly #told = new Map<ResourceType, Told>()
  readonly #unanswered = new Map<ResourceType, RawResponse>()

  constructor(stream: RawStream) {
    this.stream = stream
  }

  /** Watches more names; `*` for all. */
  subscribe(type: ResourceType, ...names: readonly string[]): void {
    const told = this.#of(type)
    for (const name of names) told.names.add(name)
    this.#request(type, this.stream.protocol === 'delta' ? { resourceNamesSubscribe: names } : {})
  }

  /** Watches these names no longer. */
  unsubscribe(type: ResourceType, ...names: readonly string[]): void {
    const told = this.#of(type)
    for (const name of names) told.names.delete(name)
    this.#request(type, this.stream.protocol === 'delta' ? { resourceNamesUnsubscribe: names } : {})
  }

  /** The next response as text, such as `cluster a=v1 b=v2 -c`; it is not answered. */
  async next(): Promise<string> {
    const response = await this.stream.next()
    const type = typeOfUrl(response.typeUrl)
    if (type === undefined) throw new Error(`a response of an unknown type ${response.typeUrl}`)
    this.#unanswered.set(type, response)
    const found = response.names.map(name => `${name}=${contentOf(type, response.bodies[name] ?? {})}`)
    return [type, ...found.sort(), ...response.removed.map(name => `-${name}`).sort()].join(' ')
  }

  /** The next response as text, acknowledged at once. */
  async take(): Promise<string> {
    const text = await this.next()
    this.ack(text.split(' ', 1)[0] as ResourceType)
    return text
  }

  /** Acknowledges the last response of a type. */
  ack(type: ResourceType): void {
    const response = this.#answer(type)
    this.#of(type).version = response.version
    this.#request(type, { responseNonce: response.nonce })
  }

  /** Refuses the last response of a type. */
  nack(type: ResourceType, message: string): void {
    this.#request(type, { responseNonce: this.#answer(type).nonce, errorDetail: { code: 13, message } })
  }

  #answer(type: ResourceType): RawResponse {
    const response = this.#unanswered.get(type)
    if (response === undefined) throw new Error(`nothing of type ${type} to answer; there are ${resourceTypes.join()}`)
    this.#unanswered.delete(type)
    // A client that changes its names before it has looked at a response still gives the nonce before.
    this.#of(type).nonce = response.nonce
    return response
  }

  #request(type: ResourceType, fields: Readonly<Record<string, unknown>>): void {
    const told = this.#of(type)
    const typeUrl = typeUrls[type]
    if (this.stream.protocol === 'delta') this.stream.send({ typeUrl, ...fields })
    else this.stream.send({ typeUrl, resourceNames: [...told.names], versionInfo: told.version, responseNonce: told.nonce, ...fields })
  }

  #of(type: ResourceType): Told {
    let told = this.#told.get(type)
    if (told === undefined) this.#told.set(type, (told = { names: new Set(), nonce: '', version: '' }))
    return told
  }
}
