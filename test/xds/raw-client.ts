import { type ClientHttp2Session, connect } from 'node:http2'
import * as grpc from '@grpc/grpc-js'
import { decodeMessage, encodeMessage, type PlainMessage } from '../../src/xds/codec.ts'
import { type ResourceType, typeUrls } from '../../src/xds/type-urls.ts'

export type Protocol = 'sotw' | 'delta'

const discovery = 'envoy.service.discovery.v3.'
const messages = {
  sotw: { request: `${discovery}DiscoveryRequest`, response: `${discovery}DiscoveryResponse` },
  delta: { request: `${discovery}DeltaDiscoveryRequest`, response: `${discovery}DeltaDiscoveryResponse` },
} as const

const ads = 'envoy.service.discovery.v3.AggregatedDiscoveryService'

/** Paths of the methods of a service: ADS, or that of one type. */
const paths: Readonly<Record<'ads' | ResourceType, (word: string) => string>> = {
  ads: word => `/${ads}/${word}AggregatedResources`,
  cluster: word => `/envoy.service.cluster.v3.ClusterDiscoveryService/${word}Clusters`,
  endpoint: word => `/envoy.service.endpoint.v3.EndpointDiscoveryService/${word}Endpoints`,
  listener: word => `/envoy.service.listener.v3.ListenerDiscoveryService/${word}Listeners`,
  route: word => `/envoy.service.route.v3.RouteDiscoveryService/${word}Routes`,
  secret: word => `/envoy.service.secret.v3.SecretDiscoveryService/${word}Secrets`,
  runtime: word => `/envoy.service.runtime.v3.RuntimeDiscoveryService/${word}Runtime`,
}

/** A response, reduced to what tests ask about. */
export interface RawResponse {
  readonly typeUrl: string
  readonly nonce: string
  readonly version: string
  readonly controlPlane: string
  /** Names in the order on the wire. */
  readonly names: readonly string[]
  readonly removed: readonly string[]
  /** Delta, and wrapped state of the world: version per name. */
  readonly versions: Readonly<Record<string, string>>
  /** The resources themselves, by name. */
  readonly bodies: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Type URL of each resource. */
  readonly resourceUrls: readonly string[]
}

type Json = Readonly<Record<string, unknown>>

/** Decodes a response of either protocol. */
export function decodeResponse(protocol: Protocol, bytes: Buffer): RawResponse {
  const message = decodeMessage(messages[protocol].response, bytes)
  const elements = (message['resources'] ?? []) as Json[]
  const parts = elements.map(element => {
    const wrapped = 'resource' in element || 'version' in element
    const body = (wrapped ? element['resource'] : element) as Json
    const name = wrapped ? element['name'] : (body['name'] ?? body['clusterName'])
    return { name: String(name), version: wrapped ? String(element['version']) : '', body }
  })
  return {
    typeUrl: text(message['typeUrl']),
    nonce: text(message['nonce']),
    version: text(message[protocol === 'delta' ? 'systemVersionInfo' : 'versionInfo']),
    controlPlane: text((message['controlPlane'] as Json | undefined)?.['identifier']),
    names: parts.map(part => part.name),
    removed: (message['removedResources'] ?? []) as string[],
    versions: Object.fromEntries(parts.map(part => [part.name, part.version])),
    bodies: Object.fromEntries(parts.map(part => [part.name, part.body])),
    resourceUrls: parts.map(part => text(part.body['@type'])),
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** How a stream ended. */
export interface RawEnd {
  readonly code: grpc.status
  readonly details: string
}

/** One stream: sends exact requests, gives the responses in their order. */
export class RawStream {
  readonly protocol: Protocol
  readonly ended: Promise<RawEnd>
  readonly #call: grpc.ClientDuplexStream<Buffer, Buffer>
  readonly #node: PlainMessage
  readonly #responses: RawResponse[] = []
  readonly #waiting: { resolve(response: RawResponse): void; reject(error: Error): void }[] = []
  #end: RawEnd | undefined
  #greeted = false

  constructor(call: grpc.ClientDuplexStream<Buffer, Buffer>, protocol: Protocol, node: PlainMessage) {
    this.#call = call
    this.#node = node
    this.protocol = protocol
    call.on('data', (bytes: Buffer) => {
      const response = decodeResponse(protocol, bytes)
      const waiter = this.#waiting.shift()
      if (waiter === undefined) this.#responses.push(response)
      else waiter.resolve(response)
    })
    call.on('error', () => undefined)
    this.ended = new Promise(resolve => {
      call.on('status', status => {
        this.#end = { code: status.code, details: status.details }
        for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#endError(this.#end))
        resolve(this.#end)
      })
    })
  }

  /** Sends a request with just these fields; the node goes with the first one, as Envoy does it. */
  send(fields: PlainMessage): void {
    const node = this.#greeted ? undefined : this.#node
    this.#greeted = true
    this.sendBytes(encodeMessage(messages[this.protocol].request, { node, ...fields }))
  }

  sendBytes(bytes: Buffer): void {
    this.#call.write(bytes)
  }

  /** Asks for names of a type: a list of names, or, in Delta, an increment. */
  ask(type: ResourceType, names: readonly string[], rest: PlainMessage = {}): void {
    const list = this.protocol === 'delta' ? { resourceNamesSubscribe: names } : { resourceNames: names }
    this.send({ typeUrl: typeUrls[type], ...list, ...rest })
  }

  /** `names`: in state of the world, what the client goes on to watch. */
  ack(response: RawResponse, names: readonly string[] = []): void {
    if (this.protocol === 'delta') this.send({ typeUrl: response.typeUrl, responseNonce: response.nonce })
    else this.send({ typeUrl: response.typeUrl, responseNonce: response.nonce, versionInfo: response.version, resourceNames: names })
  }

  nack(response: RawResponse, message: string, rest: PlainMessage = {}): void {
    this.send({ typeUrl: response.typeUrl, responseNonce: response.nonce, errorDetail: { code: 13, message }, ...rest })
  }

  /** The next response; rejects if the stream ends first. */
  next(): Promise<RawResponse> {
    const response = this.#responses.shift()
    if (response !== undefined) return Promise.resolve(response)
    const end = this.#end
    if (end !== undefined) return Promise.reject(this.#endError(end))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Responses that have come and nobody has taken. */
  takeArrived(): readonly RawResponse[] {
    return this.#responses.splice(0)
  }

  /** The next response, acknowledged. */
  async take(names: readonly string[] = []): Promise<RawResponse> {
    const response = await this.next()
    this.ack(response, names)
    return response
  }

  /** The client has said all it had to say. */
  end(): void {
    this.#call.end()
  }

  /** Goes away without a word. */
  cancel(): void {
    this.#call.cancel()
  }

  #endError(end: RawEnd): Error {
    return new Error(`the stream ended: ${grpc.status[end.code]} ${end.details}`)
  }
}

/** A client of one server; opens any number of streams over one connection. */
export class RawClient {
  readonly #client: grpc.Client

  /** `credentials`: default plain text; a TLS server must call itself `isthmus.test`. */
  constructor(port: number, credentials?: grpc.ChannelCredentials, host = '127.0.0.1') {
    this.#client = new grpc.Client(`${host}:${String(port)}`, credentials ?? grpc.credentials.createInsecure(), {
      ...(credentials !== undefined && { 'grpc.ssl_target_name_override': 'isthmus.test' }),
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
    })
  }

  /** Opens a stream of ADS or of one type's service. */
  open(protocol: Protocol, service: 'ads' | ResourceType = 'ads', node: PlainMessage = { id: 'envoy-1', cluster: 'edge' }): RawStream {
    const asIs = (bytes: Buffer): Buffer => bytes
    const path = paths[service](protocol === 'delta' ? 'Delta' : 'Stream')
    return new RawStream(this.#client.makeBidiStreamRequest(path, asIs, asIs), protocol, node)
  }

  close(): void {
    this.#client.close()
  }
}

/** A client that asks one thing on an ADS stream and then hangs: it reads nothing. Its session lives until it is destroyed. */
export function openMute(port: number, protocol: Protocol, fields: PlainMessage): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${String(port)}`)
  session.on('error', () => undefined)
  const path = paths.ads(protocol === 'delta' ? 'Delta' : 'Stream')
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' })
  stream.on('error', () => undefined)
  const bytes = encodeMessage(messages[protocol].request, fields)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(bytes.length, 1)
  stream.write(Buffer.concat([head, bytes]))
  return session
}
