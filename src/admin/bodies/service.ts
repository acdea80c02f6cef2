import type { AssignmentSpec } from '../../ir/assignment.ts'
import { refText } from '../../model/object-ref.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import { splitServiceKey } from '../../model/service-key.ts'
import { type Health, healths } from '../../model/health.ts'
import { levelsOf, type PoolView } from '../../table/reader.ts'
import type { AdminReaders } from '../readers.ts'
import type { ServiceBody } from '../schemas.ts'
import { isServed } from './endpoint.ts'

/** A cluster that gets endpoints of a pool, and the objects that made it. */
export interface ServiceCluster {
  /** The xDS name of the cluster. */
  readonly name: string
  readonly assignment: AssignmentSpec
  /** `Mapping default/web`. */
  readonly origins: readonly string[]
}

/** The clusters of each service, from routes and from clients' requests. */
export function clustersByService(
  readers: Pick<AdminReaders, 'routeTable' | 'dynamicAssignments'>,
): ReadonlyMap<ServiceKey, readonly ServiceCluster[]> {
  const found = new Map<ServiceKey, ServiceCluster[]>()
  const add = (cluster: ServiceCluster) => {
    const others = found.get(cluster.assignment.service)
    if (others === undefined) found.set(cluster.assignment.service, [cluster])
    else others.push(cluster)
  }
  for (const cluster of readers.routeTable().clusters) {
    if (cluster.kind !== 'eds') continue
    const origins = cluster.origins.map(refText)
    add({ name: cluster.name, assignment: cluster.assignment, origins })
  }
  for (const assignment of readers.dynamicAssignments?.() ?? []) add({ name: assignment.name, assignment, origins: [] })
  return found
}

/** A service as the API shows it. */
export function serviceBodyOf(pool: PoolView, clusters: readonly ServiceCluster[], conflicts: number): ServiceBody {
  const counts = Object.fromEntries(healths.map(health => [health, 0])) as Record<Health, number>
  let served = 0
  for (const endpoint of pool.endpoints) {
    counts[endpoint.health]++
    if (isServed(endpoint)) served++
  }
  const { namespace, name } = splitServiceKey(pool.service)
  const endpoints = pool.endpoints.length
  return {
    key: pool.service,
    namespace,
    name,
    mode: pool.mode,
    sources: [...pool.sources],
    endpoints,
    served,
    health: counts,
    priorities: prioritiesOf(pool),
    conflicts,
    clusters: clusters.map(cluster => cluster.name),
  }
}

function prioritiesOf(pool: PoolView): ServiceBody['priorities'] {
  if (pool.endpoints.length === 0) return []
  return levelsOf(pool).map((level, priority) => {
    const own = pool.endpoints.filter(one => one.excluded !== true && (one.member?.level ?? 0) === level)
    return { priority, endpoints: own.length, served: own.filter(isServed).length }
  })
}
