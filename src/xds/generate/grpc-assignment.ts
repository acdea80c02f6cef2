import type { AssignmentSpec } from '../../ir/assignment.ts'
import type { Locality } from '../../model/endpoint.ts'
import type { Health } from '../../model/health.ts'
import type { PoolEndpoint, PoolView } from '../../table/reader.ts'
import { encodeMessage, type PlainMessage } from '../codec.ts'
import { makeResource, type Resource } from '../resource.ts'
import { selectEndpoints } from './select-endpoints.ts'
import { servedHealth } from './served-health.ts'

/** gRPC refuses an assignment whose weights add up to more than this within one priority. */
const maxWeightSum = 0xffff_ffff

/**
 * The ClusterLoadAssignment of gRPC clients, which differ from Envoy (gRFC A27, xds.md G5, G7): every locality must be named and weighted,
 * be it nameless; they use nothing but healthy endpoints, so degraded ones are healthy ones of a lower priority and all others are left out.
 */
export function generateGrpcAssignment(spec: AssignmentSpec, pool: PoolView | undefined): Resource {
  const endpoints = selectEndpoints(pool, spec)
  // Clusters of gRPC clients have no checks of their own.
  const having = (...wanted: readonly Health[]) => endpoints.filter(endpoint => wanted.includes(servedHealth(endpoint, false)))
  const ranks = [having('healthy', 'unknown'), having('degraded')].filter(rank => rank.length > 0)
  return made(
    spec.name,
    ranks.flatMap((rank, priority) => byLocality(rank, priority)),
  )
}

/** The assignment of an upstream that is one address. */
export function fixedAssignment(name: string, address: string, port: number): Resource {
  return made(name, [locality({ region: '', zone: '', subzone: '' }, 0, [lbEndpoint(address, port, 1)], 1)])
}

function made(name: string, endpoints: readonly PlainMessage[]): Resource {
  const message = { clusterName: name, endpoints }
  return makeResource('endpoint', name, encodeMessage('envoy.config.endpoint.v3.ClusterLoadAssignment', message), [], true)
}

function byLocality(endpoints: readonly PoolEndpoint[], priority: number): readonly PlainMessage[] {
  const sum = endpoints.reduce((total, { weight }) => total + weight, 0)
  const share = sum > maxWeightSum ? (maxWeightSum - endpoints.length) / sum : 1
  const groups = Map.groupBy(endpoints, ({ winner }) => placeText(winner.endpoint.locality))
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => {
      const [first] = group
      if (first === undefined) return []
      const weights = group.map(({ weight }) => Math.max(1, Math.floor(weight * share)))
      const members = group.map(({ address, port }, index) => lbEndpoint(address, port, weights[index] ?? 1))
      const total = weights.reduce((one, other) => one + other, 0)
      return [locality(first.winner.endpoint.locality, priority, members, total)]
    })
}

function placeText({ region, zone, subzone }: Locality): string {
  return JSON.stringify([region, zone, subzone])
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
