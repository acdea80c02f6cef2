import type { AssignmentSpec } from './assignment.ts'
import type { IrCluster } from './route-table.ts'

/** The assignments that clusters ask for, by name. Clusters may share one: it counts as probed when each of them finds out by itself who does not answer. */
export function assignmentSpecs(clusters: readonly IrCluster[]): Map<string, AssignmentSpec> {
  const specs = new Map<string, AssignmentSpec>()
  for (const cluster of clusters) {
    if (cluster.kind !== 'eds') continue
    const { assignment } = cluster
    const former = specs.get(assignment.name)
    const probed = isProbed(cluster) && (former === undefined || former.probed === true)
    specs.set(assignment.name, probed ? { ...assignment, probed } : assignment)
  }
  return specs
}

function isProbed(cluster: IrCluster): boolean {
  const pool = cluster.kind === 'eds' ? cluster.pool : undefined
  const { options } = cluster
  const poolChecks = (pool?.healthChecks.length ?? 0) > 0
  return (
    poolChecks || pool?.outlierDetection !== undefined || options?.outlierDetection !== undefined || options?.healthChecks !== undefined
  )
}
