import { decodeMessage, encodeMessage, type PlainAny, type PlainMessage } from './codec.ts'
import type { Resource } from './resource.ts'
import type { ProxyResourceStatus, ProxyStatus } from './status.ts'
import { type ResourceType, resourceTypes, typeUrls } from './type-urls.ts'

/** What the answer is made of. */
export interface CsdsReader {
  proxies(): readonly ProxyStatus[]
  resources(nodeId: string, type: ResourceType): readonly ProxyResourceStatus[]
  /** The resource as it is served to that client now. */
  served(nodeId: string, type: ResourceType, name: string): Resource | undefined
}

/** A request that cannot be answered as it was meant; the message says why. */
export class CsdsError extends Error {}

const message = 'envoy.service.status.v3.'

/** State of a resource at a client → Envoy's ConfigStatus and ClientResourceStatus. */
const statuses: Readonly<Record<ProxyResourceStatus['state'], readonly [config: string, client: string]>> = {
  synced: ['SYNCED', 'ACKED'],
  pending: ['STALE', 'REQUESTED'],
  waiting: ['STALE', 'ACKED'],
  rejected: ['ERROR', 'NACKED'],
}

/**
 * The Client Status Discovery Service (xds.md X6): what each connected client was sent and has acknowledged, from the same table as
 * `isthmus proxies`. Secrets are shown by name and version, never with their content.
 * @param mayShow whether whoever asks may know of a client
 * @returns the encoded ClientStatusResponse
 * @throws CsdsError for a matcher that is not supported; anything else for bytes that are no request
 */
export function clientStatus(
  request: Buffer,
  reader: CsdsReader,
  mayShow: (node: { readonly id: string; readonly cluster: string }) => boolean,
): Buffer {
  const { nodeMatchers = [], excludeResourceContents = false } = decodeMessage(`${message}ClientStatusRequest`, request) as {
    nodeMatchers?: readonly Matcher[]
    excludeResourceContents?: boolean
  }
  const wanted = nodeMatchers.map(matches)
  const config = reader
    .proxies()
    .filter(({ state, nodeId, cluster }) => state !== 'disconnected' && mayShow({ id: nodeId, cluster }))
    .filter(({ nodeId }) => wanted.length === 0 || wanted.some(one => one(nodeId)))
    .map(proxy => clientConfig(proxy, reader, !excludeResourceContents))
  return encodeMessage(`${message}ClientStatusResponse`, { config })
}

interface Matcher {
  readonly nodeId?: Readonly<Record<string, unknown>>
  readonly nodeMetadatas?: readonly unknown[]
}

function matches({ nodeId, nodeMetadatas }: Matcher): (id: string) => boolean {
  if (nodeMetadatas !== undefined) throw new CsdsError('node_metadatas: metadata of nodes is not kept, match by node_id')
  if (nodeId === undefined) return () => true
  const { ignoreCase, ...pattern } = nodeId
  const fold = (text: string): string => (ignoreCase === true ? text.toLowerCase() : text)
  const [[kind, value] = ['', '']] = Object.entries(pattern)
  const wanted = fold(String(value))
  switch (kind) {
    case 'exact':
      return id => fold(id) === wanted
    case 'prefix':
      return id => fold(id).startsWith(wanted)
    case 'suffix':
      return id => fold(id).endsWith(wanted)
    case 'contains':
      return id => fold(id).includes(wanted)
    default:
      throw new CsdsError(`node_id: ${kind === '' ? 'an empty matcher' : kind} is not supported, use exact, prefix, suffix or contains`)
  }
}

function clientConfig(proxy: ProxyStatus, reader: CsdsReader, withContents: boolean): PlainMessage {
  const { nodeId: id, cluster } = proxy
  return {
    node: { id, cluster },
    genericXdsConfigs: resourceTypes.flatMap(type =>
      reader
        .resources(id, type)
        .map(status => genericConfig(type, status, proxy, withContents ? reader.served(id, type, status.name) : undefined)),
    ),
  }
}

function genericConfig(type: ResourceType, status: ProxyResourceStatus, proxy: ProxyStatus, served: Resource | undefined): PlainMessage {
  const { name, sentVersion, ackedVersion, currentVersion, state } = status
  const isAbsent = currentVersion === undefined && sentVersion === undefined
  const [configStatus, clientStatus] = isAbsent
    ? ['SYNCED', 'DOES_NOT_EXIST']
    : state !== 'rejected' && sentVersion === undefined
      ? ['NOT_SENT', 'REQUESTED']
      : statuses[state]
  const { lastSentAt, lastNack } = proxy.types.find(one => one.type === type) ?? {}
  return {
    typeUrl: typeUrls[type],
    name,
    versionInfo: ackedVersion ?? '',
    configStatus,
    clientStatus,
    ...(served === undefined ? {} : { xdsConfig: content(served) }),
    ...(lastSentAt === undefined ? {} : { lastUpdated: timestamp(lastSentAt) }),
    ...(state === 'rejected' && lastNack !== undefined
      ? { errorState: { lastUpdateAttempt: timestamp(lastNack.at), details: lastNack.text, versionInfo: currentVersion ?? '' } }
      : {}),
  }
}

function content({ type, name, bytes }: Resource): PlainAny {
  const shown = type === 'secret' ? encodeMessage('envoy.extensions.transport_sockets.tls.v3.Secret', { name }) : bytes
  return { type_url: typeUrls[type], value: shown }
}

/** A google.protobuf.Timestamp of wall clock ms. */
function timestamp(ms: number): PlainMessage {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) }
}
