import protobuf from 'protobufjs'
import { decodeMessage } from './codec.ts'
import type { Place } from './resource.ts'

/** Who a client says it is; from the first message of a stream (xds.md C1). */
export interface NodeIdentity {
  readonly id: string
  readonly cluster: string
  /** Name and version of the client program, such as `envoy 1.40.0`. */
  readonly userAgent: string
  readonly clientFeatures: readonly string[]
  /** Undefined: it does not say where it is. */
  readonly place: Place | undefined
}

/** What both protocols' requests have in common. */
interface RequestBase {
  readonly node: NodeIdentity | undefined
  readonly typeUrl: string
  readonly nonce: string
  /** Set on a NACK, and only then (xds.md C9). */
  readonly error: { readonly code: number; readonly message: string } | undefined
}

export interface SotwRequest extends RequestBase {
  readonly protocol: 'sotw'
  readonly version: string
  readonly names: readonly string[]
}

export interface DeltaRequest extends RequestBase {
  readonly protocol: 'delta'
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** What a reconnecting client already holds: name → version. */
  readonly initialVersions: ReadonlyMap<string, string>
}

export type DiscoveryRequest = SotwRequest | DeltaRequest

type Fields = Readonly<Record<number, (reader: protobuf.Reader) => void>>

/** Reads the fields it knows and skips the others. Throws if the bytes are no message. */
function read(reader: protobuf.Reader, end: number, fields: Fields): void {
  while (reader.pos < end) {
    const tag = reader.uint32()
    const take = fields[tag >>> 3]
    if (take === undefined) reader.skipType(tag & 7)
    else take(reader)
  }
}

/** Decodes a DiscoveryRequest by hand: an ACK that repeats thousands of names is the hot part of state of the world (performance.md 4.2). */
export function decodeSotwRequest(bytes: Buffer): SotwRequest {
  const names: string[] = []
  let [node, typeUrl, nonce, version]: [NodeIdentity | undefined, string, string, string] = [undefined, '', '', '']
  let error: RequestBase['error']
  const reader = protobuf.Reader.create(bytes)
  read(reader, reader.len, {
    1: r => (version = r.string()),
    2: r => (node = decodeNode(r.bytes())),
    3: r => names.push(r.string()),
    4: r => (typeUrl = r.string()),
    5: r => (nonce = r.string()),
    6: r => (error = decodeStatus(r.bytes())),
  })
  return { protocol: 'sotw', node, typeUrl, nonce, error, version, names }
}

/** Decodes a DeltaDiscoveryRequest by hand, for the same reason. */
export function decodeDeltaRequest(bytes: Buffer): DeltaRequest {
  const subscribe: string[] = []
  const unsubscribe: string[] = []
  const initialVersions = new Map<string, string>()
  let [node, typeUrl, nonce]: [NodeIdentity | undefined, string, string] = [undefined, '', '']
  let error: RequestBase['error']
  const reader = protobuf.Reader.create(bytes)
  read(reader, reader.len, {
    1: r => (node = decodeNode(r.bytes())),
    2: r => (typeUrl = r.string()),
    3: r => subscribe.push(r.string()),
    4: r => unsubscribe.push(r.string()),
    5: r => {
      let [name, version] = ['', '']
      read(r, r.uint32() + r.pos, { 1: entry => (name = entry.string()), 2: entry => (version = entry.string()) })
      initialVersions.set(name, version)
    },
    6: r => (nonce = r.string()),
    7: r => (error = decodeStatus(r.bytes())),
  })
  return { protocol: 'delta', node, typeUrl, nonce, error, subscribe, unsubscribe, initialVersions }
}

function decodeStatus(bytes: Uint8Array): { code: number; message: string } {
  const status = { code: 0, message: '' }
  const reader = protobuf.Reader.create(bytes)
  read(reader, reader.len, { 1: r => (status.code = r.int32()), 2: r => (status.message = r.string()) })
  return status
}

function decodeNode(bytes: Uint8Array): NodeIdentity {
  const node = decodeMessage('envoy.config.core.v3.Node', bytes)
  const build = node['userAgentBuildVersion'] as { version?: Record<string, number> } | undefined
  const parts = build?.version
  const number =
    parts === undefined ? node['userAgentVersion'] : [parts['majorNumber'] ?? 0, parts['minorNumber'] ?? 0, parts['patch'] ?? 0].join('.')
  const { region, zone } = (node['locality'] ?? {}) as { region?: unknown; zone?: unknown }
  const place = { region: text(region), zone: text(zone) }
  return {
    id: text(node['id']),
    cluster: text(node['cluster']),
    userAgent: [text(node['userAgentName']), text(number)].join(' ').trim(),
    clientFeatures: Array.isArray(node['clientFeatures']) ? node['clientFeatures'].map(text) : [],
    place: place.region === '' && place.zone === '' ? undefined : place,
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
