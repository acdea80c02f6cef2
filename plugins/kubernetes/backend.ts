import { errorText } from '../../src/model/errors.ts'
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
  /** The first one, canonical; the others have no meaning. Empty where it may not be used. */
  readonly address: string
  /** Why it may not be used, or what is ignored; empty: nothing. */
  readonly remark: string
  readonly ready: boolean | undefined
  readonly serving: boolean | undefined
  readonly terminating: boolean | undefined
  /** `name/UID` of what runs there, mostly a pod; empty if unknown. */
  readonly id: string
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

/** What a reader needs besides the object. */
export interface BackendGiven {
  readonly nextOrder: () => number
  /** Canonical form of an IP address; throws why it may not be used. */
  readonly admitAddress: (address: string) => string
}

/**
 * Reads an object into what is kept of it. What `former`, its last state, says alike is the same objects: a slice comes whole with every
 * change, and only what differs is to be made and checked again.
 */
export type BackendReader = (object: KubeObject, former: Backend | undefined) => Backend | undefined

/** Makes the reader of EndpointSlices: any owner's, joined by label only (reference/discovery.md 3.1). Odd fields cost only themselves. */
export function sliceReader({ nextOrder, admitAddress }: BackendGiven): BackendReader {
  return (object, former) => {
    const { name, namespace = '', labels } = object.metadata
    const service = labels?.[serviceLabel]
    if (service === undefined || service === '') return undefined
    const problem =
      object['addressType'] === 'FQDN' ? 'its addresses are host names (FQDN), which are deprecated and mean nothing' : undefined
    const list = problem === undefined ? records(object['endpoints']).map(sliceEndpoint) : []
    const endpoints = reused(list, former?.parts[0]?.endpoints, admitAddress)
    return { namespace, name, service, order: nextOrder(), parts: [{ endpoints, ports: portsOf(object['ports']) }], problem }
  }
}

/** Makes the reader of legacy Endpoints objects, for API servers without slices (rule 10). */
export function legacyReader({ nextOrder, admitAddress }: BackendGiven): BackendReader {
  return (object, former) => {
    const { name, namespace = '' } = object.metadata
    const parts = records(object['subsets']).map((subset, index) => {
      const list = [
        ...records(subset['addresses']).map(address => legacyEndpoint(address, true)),
        ...records(subset['notReadyAddresses']).map(address => legacyEndpoint(address, false)),
      ]
      return { ports: portsOf(subset['ports']), endpoints: reused(list, former?.parts[index]?.endpoints, admitAddress) }
    })
    return { namespace, name, service: name, order: nextOrder(), parts, problem: undefined }
  }
}

/** An endpoint's fields as they came; only objects that stay are made of them. */
interface Fields {
  readonly addresses: readonly unknown[]
  readonly ready: boolean | undefined
  readonly serving: boolean | undefined
  readonly terminating: boolean | undefined
  readonly pod: string
  readonly uid: string
  readonly node: string
  readonly zone: string
}

function sliceEndpoint(endpoint: Record): Fields {
  const conditions = record(endpoint['conditions'])
  const target = record(endpoint['targetRef'])
  return {
    addresses: Array.isArray(endpoint['addresses']) ? endpoint['addresses'] : [],
    ready: flag(conditions['ready']),
    serving: flag(conditions['serving']),
    terminating: flag(conditions['terminating']),
    pod: text(target['name']),
    uid: text(target['uid']),
    node: text(endpoint['nodeName']),
    zone: text(endpoint['zone']),
  }
}

function legacyEndpoint(address: Record, ready: boolean): Fields {
  const target = record(address['targetRef'])
  return {
    addresses: [address['ip']],
    ready,
    serving: undefined,
    terminating: undefined,
    pod: text(target['name']),
    uid: text(target['uid']),
    node: text(address['nodeName']),
    zone: '',
  }
}

function reused(
  list: readonly Fields[],
  former: readonly BackendEndpoint[] | undefined,
  admit: (address: string) => string,
): readonly BackendEndpoint[] {
  if (former === undefined) return list.map(fields => made(fields, admit))
  // Controllers may shuffle what they write anew: then by address.
  let byAddress: Map<string, BackendEndpoint> | undefined
  return list.map((fields, index) => {
    const before = former[index]
    if (before !== undefined && says(before, fields)) return before
    byAddress ??= addressesOf(former)
    const moved = byAddress.get(text(fields.addresses[0]))
    return moved !== undefined && says(moved, fields) ? moved : made(fields, admit)
  })
}

function addressesOf(endpoints: readonly BackendEndpoint[]): Map<string, BackendEndpoint> {
  const found = new Map<string, BackendEndpoint>()
  for (const endpoint of endpoints) found.set(endpoint.address, endpoint)
  return found
}

function says(known: BackendEndpoint, fields: Fields): boolean {
  return (
    known.address !== '' &&
    known.address === fields.addresses[0] &&
    fields.addresses.length === 1 &&
    known.ready === fields.ready &&
    known.serving === fields.serving &&
    known.terminating === fields.terminating &&
    isId(known.id, fields) &&
    known.node === fields.node &&
    known.zone === fields.zone
  )
}

function made(
  { addresses, ready, serving, terminating, pod, uid, node, zone }: Fields,
  admit: (address: string) => string,
): BackendEndpoint {
  let address = ''
  let remark = ''
  try {
    address = admit(text(addresses[0]))
    if (addresses.length > 1) remark = `${String(addresses.length - 1)} addresses beside ${address} mean nothing and are ignored`
  } catch (error) {
    remark = errorText(error)
  }
  const id = uid === '' ? '' : `${pod}/${uid}`
  return { address, remark, ready, serving, terminating, id, node: shared(node), zone: shared(zone) }
}

/** Compares without making the text, which is what most of an unchanged endpoint would cost. */
function isId(id: string, { pod, uid }: Fields): boolean {
  if (uid === '') return id === ''
  return id.length === pod.length + 1 + uid.length && id.startsWith(pod) && id.endsWith(uid)
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

function shared(value: string): string {
  return strings.get(value, () => value)
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined
}
