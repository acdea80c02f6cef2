import { Interner } from '../../src/model/intern.ts'
import type { KubeObject } from './resource.ts'

/** What is kept of an EndpointSlice, or of a legacy Endpoints object, which is several slices in one. */
export interface Backend {
  readonly namespace: string
  readonly name: string
  /** Name of the Service. */
  readonly service: string
  /** Grows with each object that arrives: of two, the greater one is newer here. */
  readonly order: number
  readonly parts: readonly BackendPart[]
  /** Why the whole object cannot be used; undefined: it can. */
  readonly problem: string | undefined
}

/** Ports are valid only for the endpoints beside them. */
export interface BackendPart {
  readonly endpoints: readonly BackendEndpoint[]
  readonly ports: readonly BackendPort[]
}

export interface BackendEndpoint {
  /** The first one; the others have no meaning. */
  readonly address: string
  readonly ignoredAddresses: number
  readonly ready: boolean | undefined
  readonly serving: boolean | undefined
  readonly terminating: boolean | undefined
  /** Name and UID of what runs there, mostly a pod; empty if unknown. */
  readonly pod: string
  readonly uid: string
  readonly node: string
  readonly zone: string
}

export interface BackendPort {
  readonly name: string
  /** undefined: all ports, which is none that can be dialled. */
  readonly port: number | undefined
  readonly protocol: string
}

const serviceLabel = 'kubernetes.io/service-name'
/** Zones, nodes, port names: few, and repeated by every endpoint. */
const strings = new Interner<string>(100_000)
const portLists = new Interner<readonly BackendPort[]>(10_000)

/** Makes the reader of EndpointSlices: any owner's, joined by label only (reference/discovery.md 3.1). Odd fields cost only themselves. */
export function sliceReader(nextOrder: () => number): (object: KubeObject) => Backend | undefined {
  return object => {
    const { name, namespace = '', labels } = object.metadata
    const service = labels?.[serviceLabel]
    if (service === undefined || service === '') return undefined
    const problem =
      object['addressType'] === 'FQDN' ? 'its addresses are host names (FQDN), which are deprecated and mean nothing' : undefined
    const endpoints = problem === undefined ? records(object['endpoints']).map(endpointOf) : []
    return { namespace, name, service, order: nextOrder(), parts: [{ endpoints, ports: portsOf(object['ports']) }], problem }
  }
}

/** Makes the reader of legacy Endpoints objects, for API servers without slices (rule 10). */
export function legacyReader(nextOrder: () => number): (object: KubeObject) => Backend | undefined {
  return object => {
    const { name, namespace = '' } = object.metadata
    const parts = records(object['subsets']).map(subset => ({
      ports: portsOf(subset['ports']),
      endpoints: [
        ...records(subset['addresses']).map(address => legacyEndpointOf(address, true)),
        ...records(subset['notReadyAddresses']).map(address => legacyEndpointOf(address, false)),
      ],
    }))
    return { namespace, name, service: name, order: nextOrder(), parts, problem: undefined }
  }
}

function endpointOf(endpoint: Record): BackendEndpoint {
  const addresses = Array.isArray(endpoint['addresses']) ? endpoint['addresses'] : []
  const conditions = record(endpoint['conditions'])
  const target = record(endpoint['targetRef'])
  return {
    address: text(addresses[0]),
    ignoredAddresses: Math.max(0, addresses.length - 1),
    ready: flag(conditions['ready']),
    serving: flag(conditions['serving']),
    terminating: flag(conditions['terminating']),
    pod: text(target['name']),
    uid: text(target['uid']),
    node: shared(endpoint['nodeName']),
    zone: shared(endpoint['zone']),
  }
}

function legacyEndpointOf(address: Record, ready: boolean): BackendEndpoint {
  const target = record(address['targetRef'])
  return {
    address: text(address['ip']),
    ignoredAddresses: 0,
    ready,
    serving: undefined,
    terminating: undefined,
    pod: text(target['name']),
    uid: text(target['uid']),
    node: shared(address['nodeName']),
    zone: '',
  }
}

function portsOf(ports: unknown): readonly BackendPort[] {
  const list = records(ports)
  return portLists.get(JSON.stringify(list), () =>
    list.map(port => ({
      name: text(port['name']),
      port: typeof port['port'] === 'number' ? port['port'] : undefined,
      protocol: text(port['protocol']) || 'TCP',
    })),
  )
}

type Record = Readonly<globalThis.Record<string, unknown>>

function records(value: unknown): readonly Record[] {
  return Array.isArray(value) ? value.map(record) : []
}

function record(value: unknown): Record {
  return typeof value === 'object' && value !== null ? (value as Record) : {}
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function shared(value: unknown): string {
  const found = text(value)
  return strings.get(found, () => found)
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined
}
