import type { IrPool } from '../../ir/pool.ts'
import type { AssignmentSpec } from '../../ir/assignment.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import type { PoolRule } from '../../model/pool-rule.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import type { Report } from '../emissary/report.ts'
import { type KnownSource, poolRule } from './pool-rules.ts'

/** A ServicePool as routes see it. */
export interface CompiledPool {
  readonly rule: PoolRule
  /** What it says about the clusters that use it, and how that is part of their names. */
  readonly cluster: IrPool
  readonly clusterSuffix: string
}

/** The pools of one pass, by the service each of them is. One that is refused leaves its service as it would be without it. */
export function compilePools(
  pools: readonly Checked<'ServicePool'>[],
  sources: readonly KnownSource[] | undefined,
  report: Report,
): ReadonlyMap<ServiceKey, CompiledPool> {
  const made = new Map<ServiceKey, CompiledPool>()
  for (const pool of pools) {
    const rule = poolRule(pool, sources)
    if ('service' in rule) {
      const cluster = clusterOptions(pool)
      made.set(rule.service, { rule, cluster, clusterSuffix: suffixOf(cluster) })
    } else for (const finding of rule) report.refuse(pool, finding)
  }
  return made
}

/** Adds to an upstream what the pool of its service says about clusters. A resolver that takes one registry only takes its order, too, from the pool. */
export function withPool<U extends { readonly kind: string; readonly name: string }>(
  upstream: U,
  pools: ReadonlyMap<ServiceKey, CompiledPool>,
): U {
  const { assignment } = upstream as { readonly assignment?: AssignmentSpec }
  const pool = assignment === undefined ? undefined : pools.get(assignment.service)
  return pool === undefined ? upstream : { ...upstream, name: upstream.name + pool.clusterSuffix, pool: pool.cluster }
}

function clusterOptions({ spec }: Checked<'ServicePool'>): IrPool {
  const { outlierDetection: outliers } = spec
  return {
    localityWeighted: spec.mode === 'weighted',
    panicThreshold: spec.panicThreshold ?? 0,
    slowStartSeconds: spec.slowStartSeconds ?? 0,
    ...(outliers === undefined
      ? {}
      : {
          outlierDetection: {
            consecutive5xx: outliers.consecutive5xx ?? 5,
            baseEjectionSeconds: outliers.baseEjectionSeconds ?? 30,
            maxEjectionPercent: outliers.maxEjectionPercent ?? 50,
          },
        }),
  }
}

/** Whatever differs from the defaults, so that an edit makes a new cluster beside the old one (make before break). */
function suffixOf({ localityWeighted, panicThreshold, slowStartSeconds, outlierDetection: outliers }: IrPool): string {
  return [
    ...(localityWeighted ? ['|weighted'] : []),
    ...(panicThreshold === 0 ? [] : [`|panic:${panicThreshold}`]),
    ...(slowStartSeconds === 0 ? [] : [`|slow-start:${slowStartSeconds}s`]),
    ...(outliers === undefined
      ? []
      : [`|outliers:${outliers.consecutive5xx},${outliers.baseEjectionSeconds}s,${outliers.maxEjectionPercent}%`]),
  ].join('')
}
