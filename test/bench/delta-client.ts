import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs/minimal.js'
import { decodeMessage, encodeMessage } from '../../src/xds/codec.ts'
import { typeUrls } from '../../src/xds/type-urls.ts'

const asIs = (bytes: Buffer): Buffer => bytes
const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'

/** One ADS Delta stream that holds every assignment, acknowledges at once and stamps responses before it decodes anything. */
export class DeltaClient {
  readonly #client: grpc.Client
  readonly #call: grpc.ClientDuplexStream<Buffer, Buffer>
  readonly #held = new Set<string>()
  #onAssignments: ((bytes: Buffer, at: number) => void) | undefined
  #synced: (() => void) | undefined
  #expected = Infinity
  #isSynced = false
  bytes = 0

  constructor(port: number) {
    this.#client = new grpc.Client(`127.0.0.1:${String(port)}`, grpc.credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
    })
    this.#call = this.#client.makeBidiStreamRequest(method, asIs, asIs)
    this.#call.on('data', (bytes: Buffer) => this.#take(bytes, performance.now()))
    this.#call.on('error', () => undefined)
  }

  /** Subscribes to everything; resolves when `count` assignments are here. */
  async sync(count: number): Promise<void> {
    this.#expected = count
    const synced = new Promise<void>(resolve => (this.#synced = resolve))
    this.#send({ node: { id: 'bench', cluster: 'bench' }, typeUrl: typeUrls.cluster })
    await synced
  }

  /** From now on, assignments are handed over as they come, undecoded. */
  watch(onAssignments: (bytes: Buffer, at: number) => void): void {
    this.#onAssignments = onAssignments
  }

  close(): void {
    this.#call.cancel()
    this.#client.close()
  }

  #take(bytes: Buffer, at: number): void {
    this.bytes += bytes.length
    // Stamped before anything is decoded.
    if (this.#onAssignments !== undefined && bytes.includes(typeUrls.endpoint)) this.#onAssignments(bytes, at)
    if (this.#isSynced) {
      // From here on the names are known: a client that decodes all would be what is measured.
      this.#send(tail(bytes))
      return
    }
    const response = decodeMessage('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes) as {
      typeUrl: string
      nonce: string
      resources?: { name: string }[]
    }
    this.#send({ typeUrl: response.typeUrl, responseNonce: response.nonce })
    const names = (response.resources ?? []).map(resource => resource.name)
    if (response.typeUrl === typeUrls.cluster && names.length > 0) {
      this.#send({ typeUrl: typeUrls.endpoint, resourceNamesSubscribe: names })
    } else if (response.typeUrl === typeUrls.endpoint) {
      for (const name of names) this.#held.add(name)
      if (this.#held.size < this.#expected) return
      this.#isSynced = true
      this.#synced?.()
    }
  }

  #send(request: { typeUrl: string } & Record<string, unknown>): void {
    this.#call.write(encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', request))
  }
}

/** Type URL and nonce of a DeltaDiscoveryResponse, fields 4 and 5, over everything else. */
function tail(bytes: Buffer): { readonly typeUrl: string; readonly responseNonce: string } {
  const reader = protobuf.Reader.create(bytes)
  let [typeUrl, responseNonce] = ['', '']
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag >>> 3 === 4) typeUrl = reader.string()
    else if (tag >>> 3 === 5) responseNonce = reader.string()
    else reader.skipType(tag & 7)
  }
  return { typeUrl, responseNonce }
}
