import { type Endpoint, type Locality, makeEndpoint } from '../../src/model/endpoint.ts'
import { Interner } from '../../src/model/intern.ts'
import type { Backend, BackendEndpoint, BackendPart, BackendPort } from './backend.ts'
import { judge } from './condition.ts'
import { type KubeNode, type KubeService, portKey } from './kube-service.ts'

/** The endpoints of one Service, and what was left out. */
export interface Translation {
  /** In a stable order; those that did not change are the former objects. */
  readonly endpoints: readonly Endpoint[]
  /** Sentences about what cannot be used, each naming its slice. */
  readonly refusals: readonly string[]
}

export interface TranslateGiven {
  /** Undefined where it is not known: its port numbers then select nothing. */
  readonly service: KubeService | undefined
  readonly nodeOf: (name: string) => KubeNode | undefined
  readonly former: readonly Endpoint[]
}

/** An address and port as one slice sees it. */
interface Candidate {
  readonly backend: Backend
  readonly endpoint: BackendEndpoint
  readonly port: UsablePort
}

interface UsablePort {
  readonly number: number
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  /** The Service's own number for it; 0: not known. */
  readonly servicePort: number
}

/** By region, then by zone. */
const localities = new Interner<Interner<Locality>>(1000)

/**
 * Turns all slices of a Service into its endpoints (reference/discovery.md 3.1). One address, port name and protocol is one endpoint
 * whichever slices have it: of two pods the one seen later, of one pod what its newest slice says, except that terminating in any is
 * terminating. The two addresses of a dual-stack pod are one endpoint. A bad part costs only itself. Pure.
 */
export function translate(backends: readonly Backend[], given: TranslateGiven): Translation {
  const refusals: string[] = []
  const paired = pairFamilies(distinct(backends, given.service, refusals))
  const known = knownAt(given.former)
  const endpoints = paired.map((one, index) => {
    const locality = localityOf(one.main.endpoint, given.nodeOf)
    return known(index, one, locality) ?? makeFor(one, locality)
  })
  return { endpoints, refusals }
}

/** Each place once, in the order in which it was first seen. */
function distinct(backends: readonly Backend[], service: KubeService | undefined, refusals: string[]): readonly Candidate[] {
  const all: Candidate[] = []
  /** Where in `all` the candidates of an address are. */
  const byAddress = new Map<string, number | readonly number[]>()
  const add = (candidate: Candidate): void => {
    const { address } = candidate.endpoint
    const before = byAddress.get(address)
    if (before === undefined) byAddress.set(address, all.push(candidate) - 1)
    else {
      const places = typeof before === 'number' ? [before] : before
      const same = places.find(place => isSamePort((all[place] as Candidate).port, candidate.port))
      if (same !== undefined) all[same] = together(all[same] as Candidate, candidate)
      else byAddress.set(address, [...places, all.push(candidate) - 1])
    }
  }
  for (const backend of backends) {
    const refuse = (text: string): void => void refusals.push(`${backend.namespace}/${backend.name}: ${text}`)
    if (backend.problem !== undefined) refuse(backend.problem)
    for (const part of backend.parts) {
      const ports = usablePorts(part, service, refuse)
      if (ports.length === 0) continue
      for (const endpoint of part.endpoints) {
        if (endpoint.remark !== '') refuse(endpoint.remark)
        if (endpoint.address !== '') for (const port of ports) add({ backend, endpoint, port })
      }
    }
  }
  return all
}

function isSamePort(a: UsablePort, b: UsablePort): boolean {
  return a.name === b.name && a.protocol === b.protocol
}

function usablePorts(
  { ports, endpoints }: BackendPart,
  service: KubeService | undefined,
  refuse: (text: string) => void,
): readonly UsablePort[] {
  const usable: UsablePort[] = []
  if (ports.length === 0 && endpoints.length > 0) refuse('it has endpoints, but no port')
  for (const port of ports) {
    const problem = problemOf(port, ports.length)
    if (problem !== undefined) refuse(problem)
    else if (port.protocol !== 'SCTP') {
      const servicePort = service?.ports.get(portKey(port.name, port.protocol)) ?? 0
      usable.push({ number: port.port as number, name: port.name, protocol: port.protocol === 'UDP' ? 'udp' : 'tcp', servicePort })
    }
  }
  return usable
}

function problemOf({ name, port }: BackendPort, count: number): string | undefined {
  const label = name === '' ? 'a port' : `port "${name}"`
  if (port === undefined) return `${label} has no number`
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return `${label} has the number ${String(port)}, which is no port`
  return name === '' && count > 1 ? 'one of several ports has no name' : undefined
}

/** What two slices say of one place. */
function together(a: Candidate, b: Candidate): Candidate {
  const [older, newer] = a.backend.order <= b.backend.order ? [a, b] : [b, a]
  if (older.endpoint.id !== newer.endpoint.id || older.endpoint.terminating !== true || newer.endpoint.terminating === true) return newer
  return terminatingToo(newer)
}

function terminatingToo(one: Candidate): Candidate {
  return { ...one, endpoint: { ...one.endpoint, terminating: true } }
}

interface Paired {
  readonly main: Candidate
  readonly additional: readonly string[]
}

/** A pod's second address family goes with the first, IPv4 in front: two endpoints would get it twice the requests (1.2). */
function pairFamilies(all: readonly Candidate[]): readonly Paired[] {
  const sixes = new Map<string, Candidate>()
  for (const one of all) if (one.endpoint.id !== '' && isSix(one)) sixes.set(podPort(one), one)
  if (sixes.size === 0) return all.map(main => ({ main, additional: noAddresses }))
  const paired: Paired[] = []
  const used = new Set<Candidate>()
  for (const main of all) {
    if (isSix(main)) continue
    const six = main.endpoint.id === '' ? undefined : sixes.get(podPort(main))
    if (six === undefined || used.has(six)) paired.push({ main, additional: noAddresses })
    else {
      used.add(six)
      paired.push({ main: six.endpoint.terminating === true ? terminatingToo(main) : main, additional: [six.endpoint.address] })
    }
  }
  for (const main of all) if (isSix(main) && !used.has(main)) paired.push({ main, additional: noAddresses })
  return paired
}

const noAddresses: readonly string[] = []

function isSix({ endpoint }: Candidate): boolean {
  return endpoint.address.includes(':')
}

function podPort({ endpoint, port }: Candidate): string {
  return `${endpoint.id} ${port.name} ${port.protocol} ${String(port.number)}`
}

function makeFor({ main: { endpoint, port }, additional }: Paired, locality: Locality): Endpoint {
  return makeEndpoint({
    id: idOf(endpoint),
    address: endpoint.address,
    additionalAddresses: additional,
    port: port.number,
    portName: port.name,
    servicePort: port.servicePort,
    protocol: port.protocol,
    ...judge(endpoint),
    locality,
  })
}

function idOf({ id, address }: BackendEndpoint): string {
  return id === '' ? address : id
}

const nowhere: Locality = Object.freeze({ region: '', zone: '', subzone: '' })

/** Zone of the slice, else of the node; the region is known only to the node (rule 8). */
function localityOf({ zone, node }: BackendEndpoint, nodeOf: TranslateGiven['nodeOf']): Locality {
  const known = node === '' ? undefined : nodeOf(node)
  const region = known?.region ?? ''
  const own = zone || (known?.zone ?? '')
  if (region === '' && own === '') return nowhere
  const zones = localities.get(region, () => new Interner<Locality>(1000))
  return zones.get(own, () => Object.freeze({ region, zone: own, subzone: '' }))
}

/** Finds the former endpoint that says the same: mostly at the same index, else by its address. Makes nothing for those at their index. */
function knownAt(former: readonly Endpoint[]): (index: number, paired: Paired, locality: Locality) => Endpoint | undefined {
  let firstOf: Map<string, number> | undefined
  return (index, paired, locality) => {
    const there = former[index]
    if (there !== undefined && says(there, paired, locality)) return there
    firstOf ??= firstIndexes(former)
    const { address } = paired.main.endpoint
    // An address's ports follow each other, unless they come from several slices.
    for (let at = firstOf.get(address) ?? former.length; former[at]?.address === address; at++) {
      const moved = former[at]
      if (moved !== undefined && says(moved, paired, locality)) return moved
    }
    return undefined
  }
}

function firstIndexes(endpoints: readonly Endpoint[]): Map<string, number> {
  const found = new Map<string, number>()
  for (let at = endpoints.length - 1; at >= 0; at--) found.set((endpoints[at] as Endpoint).address, at)
  return found
}

function says(known: Endpoint, { main: { endpoint, port }, additional }: Paired, locality: Locality): boolean {
  const { health, reasons } = judge(endpoint)
  return (
    known.address === endpoint.address &&
    known.port === port.number &&
    known.portName === port.name &&
    known.protocol === port.protocol &&
    known.servicePort === port.servicePort &&
    known.id === idOf(endpoint) &&
    known.health === health &&
    known.reasons.length === reasons.length &&
    known.reasons[0]?.code === reasons[0]?.code &&
    known.locality === locality &&
    known.additionalAddresses.length === additional.length &&
    known.additionalAddresses[0] === additional[0]
  )
}
