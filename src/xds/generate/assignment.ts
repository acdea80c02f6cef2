import type { AssignmentSpec } from '../../ir/assignment.ts'
import type { Health } from '../../model/health.ts'
import type { PoolMode } from '../../model/pool-rule.ts'
import type { PoolEndpoint, PoolView } from '../../table/reader.ts'
import { deferResource, type Place, type Resource, type Variants } from '../resource.ts'
import { narrowPlace } from './distance.ts'
import { encodeAssignment, type LbEndpoint, type LbLocality } from './encode-assignment.ts'
import { socketMetadata } from './mesh-sockets.ts'
import { isLastResort, needsLastResort } from './last-resort.ts'
import { type RankedLocality, rankLocalities } from './rank-localities.ts'
import { selectEndpoints } from './select-endpoints.ts'
import { servedHealth } from './served-health.ts'

/** Numbers of envoy.config.core.v3.HealthStatus (reference/discovery.md 1.5). */
const statusOf: Readonly<Record<Health, number>> = { unknown: 0, healthy: 1, unhealthy: 2, draining: 3, degraded: 5 }

/** Envoy refuses an assignment whose weights add up to more than this within one locality. */
const maxWeightSum = 0xffff_ffff

/**
 * Percent by which a priority or locality may be short of healthy endpoints before a part of its requests goes elsewhere. In `priority`
 * Envoy's own 140: the next level helps out once fewer than 72 % are healthy. `failover` and `weighted` hold on while one in a thousand is
 * healthy: the next member only when this one is empty, and the shares that were asked for (reference/discovery.md 1.5, 1.6). In a union
 * there is nowhere else to go, unless it prefers zones: those are levels, too.
 */
const overprovisioning: Readonly<Record<PoolMode, number | undefined>> = {
  union: undefined,
  priority: 140,
  failover: 100_000,
  weighted: 100_000,
}

/**
 * The ClusterLoadAssignment of one cluster. Endpoints that get no traffic are in it with their state, because leaving them out would
 * break Envoy's panic and priority arithmetic; tags and metadata are not, so that their change pushes nothing. An unknown pool gives an
 * assignment without endpoints: silence would hold up the cluster's warming (xds.md O5). Equal pools give equal bytes. It is encoded when
 * somebody reads it: pools that no client watches cost nothing, however often they change. A pool that prefers zones has a variant per
 * place that it has endpoints in.
 */
export function generateAssignment(spec: AssignmentSpec, pool: PoolView | undefined): Resource {
  const encode = (place?: Place): Buffer => {
    const { localities, overprovisioning } = assignmentOf(spec, pool, place)
    return encodeAssignment(spec.name, localities, overprovisioning)
  }
  return deferResource('endpoint', spec.name, encode, assignmentVariants(spec, pool, encode))
}

/** Those of a pool that prefers zones; undefined: all clients are sent the same. */
export function assignmentVariants(spec: AssignmentSpec, pool: PoolView | undefined, encode: Variants['encode']): Variants | undefined {
  if (pool?.rule?.preferZone !== true) return undefined
  return { narrow: place => narrowPlace(selectEndpoints(pool, spec), place), encode }
}

/** What an assignment says at a place, before it is encoded. `overprovisioning` in percent; undefined: Envoy's own. */
export function assignmentOf(
  spec: AssignmentSpec,
  pool: PoolView | undefined,
  place?: Place,
): { readonly localities: readonly LbLocality[]; readonly overprovisioning: number | undefined } {
  const mode = pool?.mode ?? 'union'
  const endpoints = selectEndpoints(pool, spec)
  const given = { probed: spec.probed === true, desperate: needsLastResort(endpoints) }
  const localities = rankLocalities(endpoints, mode === 'weighted', spec.subset, place).map(one => lbLocality(one, given))
  // A subset gives way to the next step as a member does to the next one.
  return { localities, overprovisioning: spec.subset === undefined ? overprovisioning[mode] : overprovisioning.failover }
}

/** What the status of an endpoint depends on besides itself: whether Envoy checks it too, and whether none of the cluster's is ready. */
interface StatusGiven {
  readonly probed: boolean
  readonly desperate: boolean
}

function lbLocality({ locality, priority, share: ofLevel, endpoints }: RankedLocality, given: StatusGiven): LbLocality {
  let sum = 0
  for (const { weight } of endpoints) sum += weight
  const share = sum > maxWeightSum ? (maxWeightSum - endpoints.length) / sum : 1
  return { locality, priority, weight: ofLevel ?? 0, endpoints: endpoints.map(endpoint => lbEndpoint(endpoint, share, given)) }
}

function lbEndpoint(endpoint: PoolEndpoint, share: number, { probed, desperate }: StatusGiven): LbEndpoint {
  const { address, port, additionalAddresses, weight, mesh } = endpoint
  const health = desperate && isLastResort(endpoint) ? 'degraded' : servedHealth(endpoint, probed)
  const metadata = mesh === undefined ? undefined : socketMetadata(mesh)
  return {
    address,
    additional: additionalAddresses,
    port,
    status: statusOf[health],
    weight: Math.max(1, Math.floor(weight * share)),
    metadata,
  }
}
