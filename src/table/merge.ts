import type { Endpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { Presence } from '../model/health.ts'
import type { Reason } from '../model/reason.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { sameEndpoint } from '../model/same-endpoint.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'

/** What one source says of one service. */
export interface Contribution {
  readonly source: string
  readonly sourceType: string
  readonly groups: Iterable<EndpointGroup>
}

/** Source types, most trusted first, where several know the same address and port (reference/discovery.md 1.2 b). */
const precedence: readonly string[] = ['vm', 'kubernetes', 'consul', 'dns', 'file']

/**
 * The union of what every source knows of a service (reference/discovery.md 1.2): one endpoint per (address, port, protocol), all its
 * evidence kept, weights never summed. Pure and independent of the order of contributions and groups. Whatever equals its part of
 * `former` is that same object, up to the whole view: identity means "no change" downstream.
 */
export function mergePool(service: ServiceKey, contributions: readonly Contribution[], former: PoolView | undefined): PoolView {
  const before = new Map<string, PoolEndpoint>()
  for (const endpoint of former?.endpoints ?? []) before.set(endpointKey(endpoint), endpoint)

  const evidences = new Map<string, Evidence | Evidence[]>()
  for (const { source, sourceType, groups } of contributions) {
    for (const group of groups) {
      for (const endpoint of group.endpoints) {
        const key = endpointKey(endpoint)
        const old = before.get(key)?.evidence.find(known => known.source === source && known.group === group.id)
        const evidence =
          old !== undefined && sameEndpoint(old.endpoint, endpoint) ? old : Object.freeze({ source, sourceType, group: group.id, endpoint })
        const others = evidences.get(key)
        if (others === undefined) evidences.set(key, evidence)
        else if (Array.isArray(others)) others.push(evidence)
        else evidences.set(key, [others, evidence])
      }
    }
  }

  const endpoints: PoolEndpoint[] = []
  for (const [key, found] of evidences) {
    const evidence = Array.isArray(found) ? found.sort(byTrust) : [found]
    const old = before.get(key)
    endpoints.push(old !== undefined && sameItems(old.evidence, evidence) ? old : decide(evidence))
  }
  endpoints.sort(byAddress)
  const sources = contributions.map(contribution => contribution.source).sort()
  if (former !== undefined && sameItems(former.endpoints, endpoints) && sameItems(former.sources, sources)) return former
  return Object.freeze({ service, mode: 'union', endpoints: Object.freeze(endpoints), sources: Object.freeze(sources) })
}

/** What the evidence, best first and not empty, says together: the first decides, except that draining seen by anybody wins. */
export function decide(evidence: readonly Evidence[]): PoolEndpoint {
  const winner = evidence[0]
  if (winner === undefined) throw new Error('an endpoint without evidence cannot exist')
  const { address, port, protocol, weight, presence } = winner.endpoint
  const draining = evidence.find(one => one.endpoint.health === 'draining')
  const reasons: Reason[] = [...winner.endpoint.reasons]
  if (draining !== undefined && draining !== winner) {
    reasons.push(...draining.endpoint.reasons, {
      code: 'draining-wins',
      text: `${draining.source} says draining, which wins over every other source`,
    })
  }
  if (evidence.length > 1) {
    const others = evidence.slice(1).map(one => one.source)
    reasons.push({
      code: 'merged',
      text: `known to ${String(evidence.length)} sources; ${winner.source} decides over ${others.join(', ')}`,
    })
  }
  const health = draining === undefined ? winner.endpoint.health : 'draining'
  return Object.freeze({
    address,
    port,
    protocol,
    health,
    presence,
    weight,
    winner,
    evidence: Object.freeze(evidence),
    reasons: Object.freeze(reasons),
  })
}

function endpointKey(endpoint: Pick<Endpoint, 'address' | 'port' | 'protocol'>): string {
  return `${endpoint.address} ${String(endpoint.port)}${endpoint.protocol}`
}

const presenceRank: Record<Presence, number> = { live: 0, suspect: 1, expired: 2 }

function trustRank(type: string): number {
  const rank = precedence.indexOf(type)
  return rank < 0 ? precedence.length : rank
}

/** Live evidence before stale, then the declared order of source types, then names, so that the order is total. */
function byTrust(a: Evidence, b: Evidence): number {
  return (
    presenceRank[a.endpoint.presence] - presenceRank[b.endpoint.presence] ||
    trustRank(a.sourceType) - trustRank(b.sourceType) ||
    compare(a.source, b.source) ||
    compare(a.group, b.group) ||
    compare(a.endpoint.id, b.endpoint.id)
  )
}

function byAddress(a: PoolEndpoint, b: PoolEndpoint): number {
  return compare(a.address, b.address) || a.port - b.port || compare(a.protocol, b.protocol)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
