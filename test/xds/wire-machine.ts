import type { PlainMessage } from '../../src/xds/codec.ts'
import type { ResourceType } from '../../src/xds/type-urls.ts'
import { typeUrls } from '../../src/xds/type-urls.ts'
import type { Harness } from './harness.ts'
import type { Protocol, RawResponse, RawStream } from './raw-client.ts'
import { contentOf, resource } from './resources.ts'

/** Words that only the state machine itself understands; a client cannot say them. */
const internal = new Set(['hold', 'free', 'good', 'expire', 'resend'])

/** Whether a rule can be played by a client. */
export function isForWire(steps: readonly (readonly [string, string])[]): boolean {
  return steps.every(([action]) => !internal.has(action.split(' ')[0] ?? ''))
}

/** What `A2` says: the resource A with content 2. */
function numbered(type: ResourceType, word: string) {
  const [, name = word, content = ''] = /^(.*?)(\d*)$/.exec(word) ?? []
  return resource(`${type} ${name}`, content)
}

/**
 * The language of `Machine`, spoken by a raw client to a real server over ADS or the service of one type. Silence is proved by a question
 * on another stream of the same connection: requests and responses of one connection keep their order.
 */
export class WireMachine {
  readonly #xds: Harness
  readonly #type: ResourceType
  readonly #protocol: Protocol
  readonly #stream: RawStream
  readonly #witness: RawStream
  readonly #nonces: string[] = []
  #names: readonly string[] = []
  #version = ''

  constructor(xds: Harness, type: ResourceType, protocol: Protocol, service: 'ads' | ResourceType) {
    this.#xds = xds
    this.#type = type
    this.#protocol = protocol
    this.#stream = xds.open(protocol, service, 'subject')
    this.#witness = xds.open('delta', 'ads', 'witness')
  }

  async step(text: string): Promise<string> {
    const [verb = '', ...words] = text.split(' ')
    if (verb === 'put') this.#put(words)
    else if (verb === 'del') this.#xds.remove('listener holder', ...words.map(name => `${this.#type} ${name}`))
    else this.#say(verb, words.join(' '))
    await this.#xds.marker(this.#witness)
    const responses = this.#stream.takeArrived()
    for (const response of responses) this.#nonces.push(response.nonce)
    this.#version = responses.at(-1)?.version ?? this.#version
    return responses.length === 0 ? '-' : responses.map(response => this.#text(response)).join(' | ')
  }

  #put(words: readonly string[]): void {
    const resources = words.map(word => numbered(this.#type, word))
    // A secret is there while something requires it.
    const holder = resource(
      'listener holder',
      'v1',
      resources.map(({ name }) => `secret ${name}`),
    )
    this.#xds.put(...resources, ...(this.#type === 'secret' ? [holder] : []))
  }

  #say(verb: string, text: string): void {
    const [first = '', second = ''] = text.split(';')
    const words = (verb === 'nack' || verb === 'has' ? second : text).split(' ').filter(word => word !== '')
    const nonce = verb === 'ask' || verb === 'has' ? undefined : this.#nonces.at(verb === 'stale' ? -2 : -1)
    const fields: PlainMessage = {
      typeUrl: typeUrls[this.#type],
      ...(nonce === undefined ? {} : { responseNonce: nonce }),
      ...(verb === 'nack' ? { errorDetail: { code: 13, message: first } } : {}),
    }
    if (this.#protocol === 'sotw') {
      if (verb === 'names' || verb === 'stale' || words.length > 0) this.#names = words
      this.#stream.send({ ...fields, versionInfo: this.#version, resourceNames: this.#names })
      return
    }
    const told = (verb === 'has' ? first.split(' ') : []).filter(word => word !== '').map(word => numbered(this.#type, word))
    const signed = (sign: string) => words.filter(word => word.startsWith(sign)).map(word => word.slice(1))
    this.#stream.send({
      ...fields,
      resourceNamesSubscribe: signed('+'),
      resourceNamesUnsubscribe: signed('-'),
      initialResourceVersions: Object.fromEntries(told.map(({ name, version }) => [name, version])),
    })
  }

  #text({ names, removed, bodies, resourceUrls }: RawResponse): string {
    const all = [...names, ...removed]
    if (new Set(all).size !== all.length) throw new Error(`a name occurs twice (C14): ${all.join(' ')}`)
    if (resourceUrls.some(url => url !== typeUrls[this.#type]))
      throw new Error(`a resource of another type (C15): ${resourceUrls.join(' ')}`)
    const found = names.map(name => name + contentOf(this.#type, bodies[name] ?? {}))
    return all.length === 0 ? 'empty' : [...found.sort(), ...removed.map(name => `-${name}`).sort()].join(' ')
  }
}
