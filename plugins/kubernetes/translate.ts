import { type Endpoint, type Locality, makeEndpoint } from '../../src/model/endpoint.ts'
import { errorText } from '../../src/model/errors.ts'
import { Interner } from '../../src/model/intern.ts'
import { sameEndpoint } from '../../src/model/same-endpoint.ts'
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
  /** Canonical form of an IP address; throws why it may not be used. */
  readonly admitAddress: (address: string) => string
  readonly former: readonly Endpoint[]
}

/** An address and port as one slice sees it. */
interface Candidate {
  readonly backend: Backend
  readonly endpoint: BackendEndpoint
  readonly address: string
  readonly port: number
  readonly portName: string
  readonly protocol: 'tcp' | 'udp'
}

const localities = new Interner<Locality>(10_000)

/**
 * Turns all slices of a Service into its endpoints (reference/discovery.md 3.1). One address, port name and protocol is one endpoint
 * whichever slices have it: of two pods the one seen later, of one pod what its newest slice says, except that terminating in any is
 * terminating. The two addresses of a dual-stack pod are one endpoint. A bad part costs only itself. Pure.
 */
export function translate(backends: readonly Backend[], given: TranslateGiven): Translation {
  const refusals: string[] = []
  const found = new Map<string, Candidate>()
  for (const candidate of candidates(backends, given.admitAddress, refusals)) {
    const key = `${candidate.address} ${candidate.portName} ${candidate.protocol}`
    const other = found.get(key)
    found.set(key, other === undefined ? candidate : together(other, candidate))
  }
  const former = new Map(given.former.map(endpoint => [placeOf(endpoint), endpoint]))
  const endpoints = pairFamilies([...found.values()]).map(({ main, additional }) => {
    const made = makeFor(main, additional, given)
    const known = former.get(placeOf(made))
    return known !== undefined && sameEndpoint(known, made) ? known : made
  })
  return { endpoints, refusals }
}

function* candidates(backends: readonly Backend[], admit: (address: string) => string, refusals: string[]): Iterable<Candidate> {
  for (const backend of backends) {
    const refuse = (text: string): void => void refusals.push(`${backend.namespace}/${backend.name}: ${text}`)
    if (backend.problem !== undefined) refuse(backend.problem)
    for (const part of backend.parts) {
      const ports = usablePorts(part, refuse)
      if (ports.length > 0) for (const endpoint of part.endpoints) yield* ofEndpoint(backend, endpoint, ports, admit, refuse)
    }
  }
}

type UsablePort = Pick<Candidate, 'port' | 'portName' | 'protocol'>

function usablePorts({ ports }: BackendPart, refuse: (text: string) => void): readonly UsablePort[] {
  const usable: UsablePort[] = []
  for (const port of ports) {
    const problem = problemOf(port, ports.length)
    if (problem !== undefined) refuse(problem)
    else if (port.protocol !== 'SCTP') {
      usable.push({ port: port.port as number, portName: port.name, protocol: port.protocol === 'UDP' ? 'udp' : 'tcp' })
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

function* ofEndpoint(
  backend: Backend,
  endpoint: BackendEndpoint,
  ports: readonly UsablePort[],
  admit: (address: string) => string,
  refuse: (text: string) => void,
): Iterable<Candidate> {
  let address: string
  try {
    address = admit(endpoint.address)
  } catch (error) {
    refuse(errorText(error))
    return
  }
  if (endpoint.ignoredAddresses > 0) refuse(`${String(endpoint.ignoredAddresses)} addresses beside ${address} mean nothing and are ignored`)
  for (const port of ports) yield { backend, endpoint, address, ...port }
}

/** What two slices say of one place. */
function together(a: Candidate, b: Candidate): Candidate {
  const [older, newer] = a.backend.order <= b.backend.order ? [a, b] : [b, a]
  if (older.endpoint.uid !== newer.endpoint.uid || older.endpoint.terminating !== true || newer.endpoint.terminating === true) return newer
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
  for (const one of all) if (one.endpoint.uid !== '' && one.address.includes(':')) sixes.set(podPort(one), one)
  if (sixes.size === 0) return all.map(main => ({ main, additional: noAddresses }))
  const paired: Paired[] = []
  const used = new Set<Candidate>()
  for (const main of all) {
    if (main.address.includes(':')) continue
    const six = main.endpoint.uid === '' ? undefined : sixes.get(podPort(main))
    if (six === undefined || used.has(six)) paired.push({ main, additional: noAddresses })
    else {
      used.add(six)
      paired.push({ main: six.endpoint.terminating === true ? terminatingToo(main) : main, additional: [six.address] })
    }
  }
  for (const main of all) if (main.address.includes(':') && !used.has(main)) paired.push({ main, additional: noAddresses })
  return paired
}

const noAddresses: readonly string[] = Object.freeze([])

function podPort({ endpoint, portName, protocol, port }: Candidate): string {
  return `${endpoint.uid} ${portName} ${protocol} ${String(port)}`
}

function makeFor(candidate: Candidate, additionalAddresses: readonly string[], { service, nodeOf }: TranslateGiven): Endpoint {
  const { address, port, portName, protocol, endpoint } = candidate
  const { health, reasons } = judge(endpoint)
  const locality = localityOf(endpoint, nodeOf)
  return makeEndpoint({
    id: endpoint.uid === '' ? address : `${endpoint.pod}/${endpoint.uid}`,
    address,
    additionalAddresses,
    port,
    portName,
    servicePort: service?.ports.get(portKey(portName, protocol.toUpperCase())) ?? 0,
    protocol,
    health,
    reasons,
    ...(locality === undefined ? {} : { locality }),
  })
}

/** Zone of the slice, else of the node; the region is known only to the node (rule 8). */
function localityOf({ zone, node }: BackendEndpoint, nodeOf: TranslateGiven['nodeOf']): Locality | undefined {
  const known = node === '' ? undefined : nodeOf(node)
  const region = known?.region ?? ''
  const own = zone || (known?.zone ?? '')
  if (region === '' && own === '') return undefined
  return localities.get(`${region}\n${own}`, () => Object.freeze({ region, zone: own, subzone: '' }))
}

function placeOf({ address, port, portName, protocol }: Endpoint): string {
  return `${address} ${String(port)} ${portName} ${protocol}`
}
