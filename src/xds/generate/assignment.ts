import type { AssignmentSpec } from '../../ir/assignment.ts'
import type { Locality } from '../../model/endpoint.ts'
import type { Health } from '../../model/health.ts'
import type { PoolEndpoint, PoolView } from '../../table/reader.ts'
import { makeResource, type Resource } from '../resource.ts'
import { encodeAssignment, type LbEndpoint, type LbLocality } from './encode-assignment.ts'
import { selectEndpoints } from './select-endpoints.ts'

/** Numbers of envoy.config.core.v3.HealthStatus (reference/discovery.md 1.5). */
const statusOf: Readonly<Record<Health, number>> = { unknown: 0, healthy: 1, unhealthy: 2, draining: 3, degraded: 5 }

/** Envoy refuses an assignment whose weights add up to more than this within one locality. */
const maxWeightSum = 0xffff_ffff

/**
 * The ClusterLoadAssignment of one cluster. Endpoints that get no traffic are in it with their state, because leaving them out would
 * break Envoy's panic and priority arithmetic; tags and metadata are not, so that their change pushes nothing. An unknown pool gives an
 * assignment without endpoints: silence would hold up the cluster's warming (xds.md O5). Equal pools give equal bytes.
 */
export function generateAssignment(spec: AssignmentSpec, pool: PoolView | undefined): Resource {
  return makeResource('endpoint', spec.name, encodeAssignment(spec.name, byLocality(selectEndpoints(pool, spec))))
}

function byLocality(endpoints: readonly PoolEndpoint[]): LbLocality[] {
  const first = endpoints[0]?.winner.endpoint.locality
  if (first === undefined) return []
  if (endpoints.every(({ winner }) => sameLocality(winner.endpoint.locality, first))) return [lbLocality(first, endpoints)]
  const groups = Map.groupBy(endpoints, ({ winner: { endpoint } }) => JSON.stringify(localityParts(endpoint.locality)))
  return [...groups.values()]
    .map(group => lbLocality((group[0] as PoolEndpoint).winner.endpoint.locality, group))
    .sort((a, b) => compareLocalities(a.locality, b.locality))
}

function lbLocality(locality: Locality, endpoints: readonly PoolEndpoint[]): LbLocality {
  let sum = 0
  for (const { weight } of endpoints) sum += weight
  const share = sum > maxWeightSum ? (maxWeightSum - endpoints.length) / sum : 1
  return { locality, endpoints: endpoints.map(endpoint => lbEndpoint(endpoint, share)) }
}

function lbEndpoint({ address, port, health, presence, weight }: PoolEndpoint, share: number): LbEndpoint {
  // Nobody vouches for an expired instance any more; a suspect one keeps what was last known of it.
  const status = presence === 'expired' ? statusOf.unhealthy : statusOf[health]
  return { address, port, status, weight: Math.max(1, Math.floor(weight * share)) }
}

function sameLocality(a: Locality, b: Locality): boolean {
  return a === b || (a.region === b.region && a.zone === b.zone && a.subzone === b.subzone)
}

function localityParts({ region, zone, subzone }: Locality): readonly string[] {
  return [region, zone, subzone]
}

function compareLocalities(a: Locality, b: Locality): number {
  return compare(a.region, b.region) || compare(a.zone, b.zone) || compare(a.subzone, b.subzone)
}

/** By UTF-16 code unit: the same in every locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
