import type { AssignmentSpec, MemberFilter } from '../../ir/assignment.ts'
import type { Mesh } from '../../model/mesh.ts'
import { subsetStep } from './subset.ts'
import { decideAgain, type Evidence, type PoolEndpoint, type PoolView, selectPorts } from '../../table/reader.ts'

/**
 * The endpoints of a pool that one cluster gets, in the pool's canonical order. Clusters are TCP, so UDP ports are left out first.
 * An unknown pool has none. This is the fast path: it runs for each change of the pool.
 */
export function selectEndpoints(pool: PoolView | undefined, spec: AssignmentSpec): readonly PoolEndpoint[] {
  if (pool === undefined) return []
  const { subset } = spec
  const found = selectPorts(selectMembers(pool.endpoints, spec), spec.port)
  return subset === undefined ? found : found.filter(endpoint => subsetStep(endpoint, subset) >= 0)
}

function selectMembers(endpoints: readonly PoolEndpoint[], { members: filter, mesh }: AssignmentSpec): readonly PoolEndpoint[] {
  const found: PoolEndpoint[] = []
  for (const endpoint of endpoints) {
    if (endpoint.protocol !== 'tcp' || endpoint.excluded === true) continue
    const seen = filter.kind === 'all' ? endpoint : restrict(endpoint, filter)
    if (seen !== undefined && (seen.mesh === undefined || reaches(seen.mesh, mesh))) found.push(seen)
  }
  return found
}

/** Whether a cluster has what it takes to speak to an endpoint in a mesh: it is never dialled in plain. */
function reaches(mesh: Mesh, identities: AssignmentSpec['mesh']): boolean {
  return !('locked' in mesh) && identities?.includes(mesh.identity) === true
}

/** The endpoint as the allowed evidence alone describes it: another source's health or weight must not show through. */
function restrict(endpoint: PoolEndpoint, filter: Exclude<MemberFilter, { kind: 'all' }>): PoolEndpoint | undefined {
  const allows = (one: Evidence) => (filter.kind === 'type' ? one.sourceType === filter.type : one.source === filter.source)
  if (endpoint.evidence.every(allows)) return endpoint
  const allowed = endpoint.evidence.filter(allows)
  return allowed.length === 0 ? undefined : decideAgain(endpoint, allowed)
}
