import type { AssignmentSpec } from '../ir/assignment.ts'
import type { PoolView } from '../table/reader.ts'
import { generateAssignment } from '../xds/generate/assignment.ts'
import type { Resource } from '../xds/resource.ts'

/** The same rule over the same pool gives the same assignment, so that several views encode it once and share its bytes (xds.md L9). */
export function sharedAssignments(): typeof generateAssignment {
  const made = new WeakMap<PoolView, Map<string, Resource>>()
  return (spec: AssignmentSpec, pool: PoolView | undefined) => {
    if (pool === undefined) return generateAssignment(spec, pool)
    let ofPool = made.get(pool)
    if (ofPool === undefined) made.set(pool, (ofPool = new Map<string, Resource>()))
    const key = JSON.stringify(spec)
    let resource = ofPool.get(key)
    if (resource === undefined) ofPool.set(key, (resource = generateAssignment(spec, pool)))
    return resource
  }
}
