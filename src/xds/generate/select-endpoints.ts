import type { AssignmentSpec, MemberFilter, PortSelector } from '../../ir/assignment.ts'
import { decide, type Evidence, type PoolEndpoint, type PoolView } from '../../table/reader.ts'

/**
 * The endpoints of a pool that one cluster gets, in the pool's canonical order. Clusters are TCP, so UDP ports are left out first.
 * An unknown pool has none. This is the fast path: it runs for each change of the pool.
 */
export function selectEndpoints(pool: PoolView | undefined, spec: AssignmentSpec): readonly PoolEndpoint[] {
  if (pool === undefined) return []
  return selectPorts(selectMembers(pool.endpoints, spec.members), spec.port)
}

function selectMembers(endpoints: readonly PoolEndpoint[], filter: MemberFilter): readonly PoolEndpoint[] {
  const found: PoolEndpoint[] = []
  for (const endpoint of endpoints) {
    if (endpoint.protocol !== 'tcp') continue
    const seen = filter.kind === 'all' ? endpoint : restrict(endpoint, filter)
    if (seen !== undefined) found.push(seen)
  }
  return found
}

/** The endpoint as the allowed evidence alone describes it: another source's health or weight must not show through. */
function restrict(endpoint: PoolEndpoint, filter: Exclude<MemberFilter, { kind: 'all' }>): PoolEndpoint | undefined {
  const allows = (one: Evidence) => (filter.kind === 'type' ? one.sourceType === filter.type : one.source === filter.source)
  if (endpoint.evidence.every(allows)) return endpoint
  const allowed = endpoint.evidence.filter(allows)
  return allowed.length === 0 ? undefined : decide(allowed)
}

function selectPorts(endpoints: readonly PoolEndpoint[], selector: PortSelector): readonly PoolEndpoint[] {
  const wanted = portTest(endpoints, selector)
  if (endpoints.every(wanted)) return endpoints
  if (haveOnePortEach(endpoints)) return endpoints
  const ports = countPorts(endpoints)
  return endpoints.filter(endpoint => wanted(endpoint) || isOnlyPort(endpoint, ports))
}

function portTest(endpoints: readonly PoolEndpoint[], selector: PortSelector): (endpoint: PoolEndpoint) => boolean {
  if (selector.kind === 'name') return endpoint => endpoint.evidence.some(one => one.endpoint.portName === selector.name)
  if (selector.kind === 'number') return endpoint => endpoint.port === selector.number
  // Where no instance has the usual port this test takes none, and the rule for instances with a single port does the rest.
  const usual = selector.tls ? 443 : 80
  return endpoints.some(endpoint => endpoint.port === usual) ? endpoint => endpoint.port === usual : () => false
}

/** Whether it is plain that no instance has a second port: the usual case, and cheaper to find out than counting. */
function haveOnePortEach(endpoints: readonly PoolEndpoint[]): boolean {
  const source = endpoints[0]?.winner.source
  const ids = new Set<string>()
  for (const { evidence, winner } of endpoints) {
    if (evidence.length > 1 || winner.source !== source) return false
    ids.add(winner.endpoint.id)
  }
  return ids.size === endpoints.length
}

/** How many ports each instance has: source → instance id → count. */
type PortCounts = Map<string, Map<string, number>>

/** An instance is known by its id within its source; where several sources know ports of it, each of them counts those it knows. */
function countPorts(endpoints: readonly PoolEndpoint[]): PortCounts {
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

function isOnlyPort({ evidence }: PoolEndpoint, counts: PortCounts): boolean {
  for (const one of evidence) if (counts.get(one.source)?.get(one.endpoint.id) !== 1) return false
  return true
}
