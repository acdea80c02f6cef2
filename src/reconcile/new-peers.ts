import type { AssignmentSpec } from '../ir/assignment.ts'
import type { PoolView } from '../table/reader.ts'

/**
 * Whether a pool has endpoints in a mesh that a cluster cannot reach yet, and had them not before: a compilation that is under way makes it
 * able to. Until then they would be left out, and what they stand in the place of would be gone.
 */
export function hasNewPeers({ mesh: known }: AssignmentSpec, before: PoolView | undefined, after: PoolView): boolean {
  for (const { mesh } of after.endpoints) {
    if (mesh === undefined || 'locked' in mesh || known?.includes(mesh.identity) === true) continue
    const had = before?.endpoints.some(one => one.mesh !== undefined && 'identity' in one.mesh && one.mesh.identity === mesh.identity)
    if (had !== true) return true
  }
  return false
}
