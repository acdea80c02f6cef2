import { applyOverride } from './apply-override.ts'
import { bar } from './bar.ts'
import { decide } from './decide.ts'
import { inMesh } from './in-mesh.ts'
import { placeIn } from './place-in.ts'
import type { Evidence, PoolEndpoint } from './pool-view.ts'

/** The endpoint as a part of its evidence alone describes it, best first and not empty; what a pool or an operator said about it stays. */
export function decideAgain(endpoint: PoolEndpoint, evidence: readonly Evidence[]): PoolEndpoint {
  const { member, override, barred, goneAt, mesh } = endpoint
  const alone = decide(endpoint, evidence)
  // What takes no cleartext takes none either from those who know it by a source that does not say so.
  const decided = mesh === undefined || alone.mesh !== undefined ? alone : inMesh(alone, mesh)
  const known = barred === undefined ? decided : bar(decided, barred)
  const placed = member === undefined ? known : placeIn(member, known)
  const seen: PoolEndpoint = goneAt === undefined ? placed : { ...placed, goneAt, health: 'draining' }
  return override === undefined ? seen : applyOverride(seen, override)
}
