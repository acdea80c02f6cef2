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

/** Decodes a DiscoveryRequest by hand: an ACK that repeats thousands of names is the hot part of state of the world (performance.md 4.2). */
export function decodeSotwRequest(bytes: Buffer): SotwRequest {
  const names: string[] = []
  let [node, typeUrl, nonce, version]: [NodeIdentity | undefined, string, string, string] = [undefined, '', '', '']
  let error: RequestBase['error']
  const reader = protobuf.Reader.create(bytes)
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1) version = reader.string()
    else if (tag >>> 3 === 2) node = decodeNode(reader.bytes())
    else if (tag >>> 3 === 3) names.push(reader.string())
    else if (tag >>> 3 === 4) typeUrl = reader.string()
    else if (tag >>> 3 === 5) nonce = reader.string()
    else if (tag >>> 3 === 6) error = decodeStatus(reader.bytes())
    else reader.skipType(tag & 7)
  }
  return { protocol: 'sotw', node, typeUrl, nonce, error, version, names }
}

const noVersions: ReadonlyMap<string, string> = new Map()

/** Decodes a DeltaDiscoveryRequest by hand, for the same reason. */
export function decodeDeltaRequest(bytes: Buffer): DeltaRequest {
  const subscribe: string[] = []
  const unsubscribe: string[] = []
  let initialVersions: Map<string, string> | undefined
  let [node, typeUrl, nonce]: [NodeIdentity | undefined, string, string] = [undefined, '', '']
  let error: RequestBase['error']
  const reader = protobuf.Reader.create(bytes)
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1) node = decodeNode(reader.bytes())
    else if (tag >>> 3 === 2) typeUrl = reader.string()
    else if (tag >>> 3 === 3) subscribe.push(reader.string())
    else if (tag >>> 3 === 4) unsubscribe.push(reader.string())
    else if (tag >>> 3 === 5) readVersion(reader, (initialVersions ??= new Map<string, string>()))
    else if (tag >>> 3 === 6) nonce = reader.string()
    else if (tag >>> 3 === 7) error = decodeStatus(reader.bytes())
    else reader.skipType(tag & 7)
  }
  return { protocol: 'delta', node, typeUrl, nonce, error, subscribe, unsubscribe, initialVersions: initialVersions ?? noVersions }
}

/** An entry of `initial_resource_versions`. */
function readVersion(reader: protobuf.Reader, versions: Map<string, string>): void {
  const end = reader.uint32() + reader.pos
  let [name, version] = ['', '']
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1) name = reader.string()
    else if (tag >>> 3 === 2) version = reader.string()
    else reader.skipType(tag & 7)
  }
  versions.set(name, version)
}

function decodeStatus(bytes: Uint8Array): { code: number; message: string } {
  const status = { code: 0, message: '' }
  const reader = protobuf.Reader.create(bytes)
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1) status.code = reader.int32()
    else if (tag >>> 3 === 2) status.message = reader.string()
    else reader.skipType(tag & 7)
  }
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
