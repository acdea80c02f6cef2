import type { PortSelector } from '../model/port-selector.ts'
import type { Evidence } from './pool-view.ts'

/** What has a port, and who says so. */
interface PortOwner {
  readonly port: number
  /** Not empty; the first decides. */
  readonly evidence: readonly Evidence[]
}

/** Those of the endpoints that have the port, and those of instances that have no other one (interface.md, `service:`). */
export function selectPorts<One extends PortOwner>(endpoints: readonly One[], selector: PortSelector): readonly One[] {
  const wanted = portTest(endpoints, selector)
  if (endpoints.every(wanted)) return endpoints
  if (haveOnePortEach(endpoints)) return endpoints
  const ports = countPorts(endpoints)
  return endpoints.filter(endpoint => wanted(endpoint) || isOnlyPort(endpoint, ports))
}

function portTest(endpoints: readonly PortOwner[], selector: PortSelector): (endpoint: PortOwner) => boolean {
  if (selector.kind === 'name') return endpoint => endpoint.evidence.some(one => one.endpoint.portName === selector.name)
  if (selector.kind === 'number') return endpoint => hasNumber(endpoint, selector.number)
  // Where no instance has the usual port this test takes none, and the rule for instances with a single port does the rest.
  const usual = selector.tls ? 443 : 80
  return endpoints.some(endpoint => hasNumber(endpoint, usual)) ? endpoint => hasNumber(endpoint, usual) : () => false
}

/** A port that its service knows by another number goes by that one (interface.md: PORT selects a Kubernetes Service port). */
function hasNumber({ evidence }: PortOwner, number: number): boolean {
  for (const { endpoint } of evidence) if ((endpoint.servicePort || endpoint.port) === number) return true
  return false
}

/** Whether it is plain that no instance has a second port: the usual case, and cheaper to find out than counting. */
function haveOnePortEach(endpoints: readonly PortOwner[]): boolean {
  const source = endpoints[0]?.evidence[0]?.source
  const ids = new Set<string>()
  for (const { evidence } of endpoints) {
    const [only] = evidence
    if (only === undefined || evidence.length > 1 || only.source !== source) return false
    ids.add(only.endpoint.id)
  }
  return ids.size === endpoints.length
}

/** How many ports each instance has: source → instance id → count. */
type PortCounts = Map<string, Map<string, number>>

/** An instance is known by its id within its source; where several sources know ports of it, each of them counts those it knows. */
function countPorts(endpoints: readonly PortOwner[]): PortCounts {
  const counts: PortCounts = new Map()
  let source = ''
  let ofSource = new Map<string, number>()
  for (const { evidence } of endpoints) {
    for (let index = 0; index < evidence.length; index++) {
      const one = evidence[index] as Evidence
      if (index > 0 && repeats(evidence, index)) continue
      if (one.source !== source) {
        source = one.source
        ofSource = counts.get(source) ?? new Map<string, number>()
      }
      if (ofSource.size === 0) counts.set(source, ofSource)
      ofSource.set(one.endpoint.id, (ofSource.get(one.endpoint.id) ?? 0) + 1)
    }
  }
  return counts
}

/** Whether an earlier evidence of the same endpoint names the same instance: a source may tell of it in two groups. */
function repeats(evidence: readonly Evidence[], index: number): boolean {
  const one = evidence[index] as Evidence
  for (let earlier = 0; earlier < index; earlier++) {
    const other = evidence[earlier] as Evidence
    if (other.source === one.source && other.endpoint.id === one.endpoint.id) return true
  }
  return false
}

function isOnlyPort({ evidence }: PortOwner, counts: PortCounts): boolean {
  for (const one of evidence) if (counts.get(one.source)?.get(one.endpoint.id) !== 1) return false
  return true
}
