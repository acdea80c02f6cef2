import type { Mesh } from '../model/mesh.ts'
import type { Evidence, PoolEndpoint } from './pool-view.ts'

/** What one of the sources says of a mesh: whoever else knows the place in plain does not know that it takes nothing but mutual TLS. */
export function meshOf(evidence: readonly Evidence[]): Mesh | undefined {
  for (const { endpoint } of evidence) if (endpoint.mesh !== undefined) return endpoint.mesh
  return undefined
}

/** The endpoint as one that is reached through the mesh only, or not at all while what that takes is missing (reference/discovery.md 2.9). */
export function inMesh(endpoint: PoolEndpoint, mesh: Mesh): PoolEndpoint {
  const isLocked = 'locked' in mesh
  const reason = isLocked
    ? { code: 'mesh-only', text: `it takes mutual TLS of the mesh only: ${mesh.locked}` }
    : { code: 'mesh', text: `reached by mutual TLS of the mesh, as ${mesh.identity}` }
  const reasons = [...endpoint.reasons, reason]
  return { ...endpoint, mesh, reasons, ...(isLocked && { excluded: true as const }) }
}
