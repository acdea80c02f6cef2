import type { AssignmentSpec } from '../../ir/assignment.ts'
import type { Locality } from '../../model/endpoint.ts'
import type { Health } from '../../model/health.ts'
import type { PoolView } from '../../table/reader.ts'
import { encodeMessage, type PlainMessage } from '../codec.ts'
import { deferResource, makeResource, type Place, type Resource } from '../resource.ts'
import { assignmentVariants } from './assignment.ts'
import { type RankedLocality, rankLocalities } from './rank-localities.ts'
import { selectEndpoints } from './select-endpoints.ts'
import { servedHealth } from './served-health.ts'

/** gRPC refuses an assignment whose weights add up to more than this within one priority. */
const maxWeightSum = 0xffff_ffff

/**
 * The ClusterLoadAssignment of gRPC clients, which differ from Envoy (gRFC A27, xds.md G5, G7): every locality must be named and weighted,
 * be it nameless; they use nothing but healthy endpoints, so degraded ones are healthy ones of a lower priority and all others are left out.
 */
export function generateGrpcAssignment(spec: AssignmentSpec, pool: PoolView | undefined): Resource {
  const encode = (place?: Place): Buffer => encoded(spec.name, assignedTo(spec, pool, place))
  return deferResource('endpoint', spec.name, encode, assignmentVariants(spec, pool, encode), true)
}

function assignedTo(spec: AssignmentSpec, pool: PoolView | undefined, place: Place | undefined): readonly PlainMessage[] {
  // Clusters of gRPC clients have no checks of their own.
  const having = (one: RankedLocality, ...wanted: readonly Health[]) =>
    one.endpoints.filter(endpoint => wanted.includes(servedHealth(endpoint, false)))
  const ranked = rankLocalities(selectEndpoints(pool, spec), pool?.mode === 'weighted', spec.subset, place)
  const ranks = [...Map.groupBy(ranked, one => one.priority).values()].flatMap(level => [
    level.map(one => ({ ...one, endpoints: having(one, 'healthy', 'unknown') })),
    level.map(one => ({ ...one, endpoints: having(one, 'degraded') })),
  ])
  const filled = ranks.map(rank => rank.filter(one => one.endpoints.length > 0)).filter(rank => rank.length > 0)
  return filled.flatMap(ofRank)
}

/** The assignment of an upstream that is one address. */
export function fixedAssignment(name: string, address: string, port: number): Resource {
  const only = locality({ region: '', zone: '', subzone: '' }, 0, [lbEndpoint(address, port, 1)], 1)
  return makeResource('endpoint', name, encoded(name, [only]), [], true)
}

function encoded(clusterName: string, endpoints: readonly PlainMessage[]): Buffer {
  return encodeMessage('envoy.config.endpoint.v3.ClusterLoadAssignment', { clusterName, endpoints })
}

/** The localities of one priority: weighted by their share where they have one, else by what their endpoints weigh. */
function ofRank(rank: readonly RankedLocality[], priority: number): readonly PlainMessage[] {
  const sum = rank.reduce((total, { endpoints }) => endpoints.reduce((part, { weight }) => part + weight, total), 0)
  const scale = sum > maxWeightSum ? (maxWeightSum - rank.reduce((total, one) => total + one.endpoints.length, 0)) / sum : 1
  return rank.map(({ locality: place, share, endpoints }) => {
    const weights = endpoints.map(({ weight }) => Math.max(1, Math.floor(weight * scale)))
    const members = endpoints.map(({ address, port }, index) => lbEndpoint(address, port, weights[index] ?? 1))
    return locality(place, priority, members, share ?? weights.reduce((one, other) => one + other, 0))
  })
}

function locality(
  { region, zone, subzone }: Locality,
  priority: number,
  lbEndpoints: readonly PlainMessage[],
  weight: number,
): PlainMessage {
  return { locality: { region, zone, subZone: subzone }, lbEndpoints, loadBalancingWeight: { value: weight }, priority }
}

function lbEndpoint(address: string, port: number, weight: number): PlainMessage {
  const endpoint = { address: { socketAddress: { address, portValue: port } } }
  return { endpoint, healthStatus: 'HEALTHY', loadBalancingWeight: { value: weight } }
}
