import { createHash } from 'node:crypto'
import type { IrCluster } from '../../ir/route-table.ts'
import type { IrSecret } from '../../ir/secret.ts'
import type { CompileInput } from './input.ts'
import { compare } from './order.ts'

/**
 * The clusters, those with endpoints in a mesh able to reach them as far as there are secrets for it, and these secrets. Such a cluster has
 * an assignment of its own name: the one that Envoy knew the cluster by before, without a socket for them, never gets them, so that nothing
 * is dialled in plain while Envoy goes from one to the other.
 */
export function withMesh(
  clusters: readonly IrCluster[],
  { known, sourceSecrets = [] }: Pick<CompileInput, 'known' | 'sourceSecrets'>,
): { readonly clusters: readonly IrCluster[]; readonly secrets: readonly IrSecret[] } {
  const byName = new Map(sourceSecrets.map(secret => [secret.name, secret]))
  const used = new Map<string, IrSecret>()
  const reached = clusters.map((cluster): IrCluster => {
    if (cluster.kind !== 'eds') return cluster
    const peers = (known.meshPeers?.(cluster.assignment.service) ?? [])
      .filter(({ certificate, validation }) => byName.has(certificate) && byName.has(validation))
      .toSorted((a, b) => compare(a.identity, b.identity))
    if (peers.length === 0) return cluster
    for (const { certificate, validation } of peers) {
      for (const name of [certificate, validation]) used.set(name, byName.get(name) as IrSecret)
    }
    const mark = createHash('sha256').update(JSON.stringify(peers)).digest('hex').slice(0, 8)
    const { assignment } = cluster
    const mesh = peers.map(({ identity }) => identity)
    return { ...cluster, mesh: peers, assignment: Object.freeze({ ...assignment, name: `${assignment.name}|mesh:${mark}`, mesh }) }
  })
  return { clusters: reached, secrets: [...used.values()].sort((a, b) => compare(a.name, b.name)) }
}
