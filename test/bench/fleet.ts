import protobuf from 'protobufjs'
import { encodeMessage } from '../../src/xds/codec.ts'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { machineNow } from './direct-changes.ts'
import { Http2Stream } from './http2-stream.ts'

const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'
const requestType = 'envoy.service.discovery.v3.DeltaDiscoveryRequest'

/** ADS Delta streams, each on a connection of its own and under its own node id, that hold everything and acknowledge at once. */
export class Fleet {
  readonly #port: number
  readonly #members: Member[] = []
  #onAssignment: (response: Buffer, at: number) => void = () => undefined

  constructor(port: number) {
    this.#port = port
  }

  get size(): number {
    return this.#members.length
  }

  /** Opens streams until there are `count`; resolves when each holds `services` assignments, with the seconds that took. */
  async grow(count: number, services: number): Promise<number> {
    const began = machineNow()
    const added: Member[] = []
    while (this.#members.length < count) {
      const member = new Member(this.#port, this.#members.length, services, (response, at) => this.#onAssignment(response, at))
      this.#members.push(member)
      added.push(member)
    }
    await Promise.all(added.map(member => member.connect()))
    return (machineNow() - began) / 1000
  }

  /** Cuts all connections, and connects all anew at once; gives for each the seconds until it was in sync again. */
  async storm(): Promise<readonly number[]> {
    await Promise.all(this.#members.map(member => member.cut()))
    const began = machineNow()
    return Promise.all(this.#members.map(member => member.connect().then(() => (machineNow() - began) / 1000)))
  }

  /** Cuts one connection, and connects it anew; resolves when it is in sync again. */
  async renew(index: number): Promise<void> {
    const member = this.#members[index % this.#members.length]
    await member?.cut()
    await member?.connect()
  }

  /** From now on each response with assignments is handed over, undecoded. */
  watch(onAssignment: (response: Buffer, at: number) => void): void {
    this.#onAssignment = onAssignment
  }

  /** Bytes on all connections, HTTP/2 included. */
  get traffic(): { readonly down: number; readonly up: number } {
    let [down, up] = [0, 0]
    for (const { traffic } of this.#members) [down, up] = [down + traffic.received, up + traffic.sent]
    return { down, up }
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map(member => member.cut()))
  }
}

/** Clients know the same clusters: the request for their assignments is encoded once. */
let endpointsRequest: { readonly names: readonly string[]; readonly bytes: Buffer } | undefined

class Member {
  readonly #port: number
  readonly #id: number
  readonly #services: number
  readonly #onAssignment: (response: Buffer, at: number) => void
  #stream: Http2Stream | undefined
  #held = new Set<string>()
  #synced: (() => void) | undefined
  #ended: (() => void) | undefined

  constructor(port: number, id: number, services: number, onAssignment: (response: Buffer, at: number) => void) {
    this.#port = port
    this.#id = id
    this.#services = services
    this.#onAssignment = onAssignment
  }

  get traffic(): { readonly received: number; readonly sent: number } {
    return this.#stream ?? { received: 0, sent: 0 }
  }

  /** Resolves when it holds all assignments. Whoever is sent away comes back after a while, as Envoy does. */
  connect(): Promise<void> {
    this.#held = new Set()
    return new Promise(resolve => {
      this.#synced = resolve
      this.#open()
    })
  }

  /** Resolves when the connection is gone. */
  cut(): Promise<void> {
    const stream = this.#stream
    if (stream === undefined) return Promise.resolve()
    return new Promise(resolve => {
      this.#ended = resolve
      stream.cut()
    })
  }

  #open(): void {
    const stream = new Http2Stream(
      this.#port,
      method,
      machineNow,
      (message, at) => this.#take(stream, message, at),
      () => {
        this.#stream = undefined
        if (this.#ended !== undefined) this.#ended()
        else setTimeout(() => this.#open(), 250 + 500 * Math.random())
        this.#ended = undefined
      },
    )
    this.#stream = stream
    stream.send(encodeMessage(requestType, { node: { id: `bench-${String(this.#id)}`, cluster: 'bench' }, typeUrl: typeUrls.cluster }))
  }

  #take(stream: Http2Stream, message: Buffer, at: number): void {
    // In sync, what is wanted of a response is its nonce and its bytes.
    const { typeUrl, nonce, names } = decode(message, this.#synced !== undefined)
    const isAssignment = typeUrl === typeUrls.endpoint
    if (isAssignment) this.#onAssignment(message, at)
    stream.send(acknowledgement(typeUrl, nonce))
    if (typeUrl === typeUrls.cluster && names.length > 0) stream.send(requestFor(names))
    if (!isAssignment || this.#synced === undefined) return
    for (const name of names) this.#held.add(name)
    if (this.#held.size < this.#services) return
    this.#synced()
    this.#synced = undefined
    this.#held.clear()
  }
}

/** A DeltaDiscoveryRequest of two short strings, which need no encoder. */
function acknowledgement(typeUrl: string, nonce: string): Buffer {
  const [type, answered] = [Buffer.from(typeUrl), Buffer.from(nonce)]
  return Buffer.concat([Buffer.from([0x12, type.length]), type, Buffer.from([0x32, answered.length]), answered])
}

function requestFor(names: readonly string[]): Buffer {
  const known = endpointsRequest
  if (known?.names.length === names.length && names.every((name, index) => known.names[index] === name)) return known.bytes
  const bytes = encodeMessage(requestType, { typeUrl: typeUrls.endpoint, resourceNamesSubscribe: names })
  endpointsRequest = { names, bytes }
  return bytes
}

/** The fields of a DeltaDiscoveryResponse that a client needs, by number. */
function decode(message: Buffer, wantsNames: boolean): { typeUrl: string; nonce: string; names: string[] } {
  const reader = protobuf.Reader.create(message)
  const found = { typeUrl: '', nonce: '', names: [] as string[] }
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === 0x22) found.typeUrl = reader.string()
    else if (tag === 0x2a) found.nonce = reader.string()
    else if (tag === 0x12 && wantsNames) {
      const end = reader.uint32() + reader.pos
      while (reader.pos < end) {
        const inner = reader.uint32()
        if (inner === 0x1a) found.names.push(reader.string())
        else reader.skipType(inner & 7)
      }
    } else reader.skipType(tag & 7)
  }
  return found
}

/** Bytes of the assignments that a DeltaDiscoveryResponse holds: of what is in a response, in the Any of each Resource. */
export function assignmentBytes(response: Buffer): number {
  const assignments = inside(response, 2).flatMap(resource => inside(resource, 2).flatMap(any => inside(any, 2)))
  return assignments.reduce((sum, { length }) => sum + length, 0)
}

/** What a message holds in a field of bytes. */
function inside(message: Uint8Array, field: number): Uint8Array[] {
  const reader = protobuf.Reader.create(message)
  const found: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag === ((field << 3) | 2)) found.push(reader.bytes())
    else reader.skipType(tag & 7)
  }
  return found
}
