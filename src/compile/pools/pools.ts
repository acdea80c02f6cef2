import { createHash } from 'node:crypto'
import type { IrPool } from '../../ir/pool.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import type { PoolRule } from '../../model/pool-rule.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import type { Upstream } from '../emissary/upstream.ts'
import { healthCheck } from '../emissary/cluster-options.ts'
import type { Report } from '../emissary/report.ts'
import { type KnownSource, poolRule } from './pool-rules.ts'
import { subsetSteps } from './subsets.ts'

/** A ServicePool as routes see it. */
export interface CompiledPool {
  readonly rule: PoolRule
  /** What it says about the clusters that use it, and how that is part of their names. */
  readonly cluster: IrPool
  readonly clusterSuffix: string
  readonly subsets: NonNullable<Checked<'ServicePool'>['spec']['subsets']>
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
      made.set(rule.service, { rule, cluster, clusterSuffix: suffixOf(cluster), subsets: pool.spec.subsets ?? [] })
    } else for (const finding of rule) report.refuse(pool, finding)
  }
  return made
}

/**
 * Adds to an upstream what the pool of its service says about clusters, and narrows it to a subset. A resolver that takes one registry only
 * has the pool's order and shares, too.
 * @returns the upstream, or a sentence on why it has no such subset
 */
export function withPool(upstream: Upstream, subset: string | undefined, pools: ReadonlyMap<ServiceKey, CompiledPool>): Upstream | string {
  const pool = upstream.kind === 'eds' ? pools.get(upstream.assignment.service) : undefined
  if (pool === undefined || upstream.kind !== 'eds')
    return subset === undefined ? upstream : `"#${subset}" names a subset of a ServicePool, and there is no ServicePool of this name`
  const whole = { ...upstream, name: upstream.name + pool.clusterSuffix, pool: pool.cluster }
  if (subset === undefined) return whole
  const steps = subsetSteps(subset, pool.subsets)
  if (typeof steps === 'string') return steps
  const assignment = { ...upstream.assignment, name: `${upstream.assignment.name}#${subset}`, subset: steps }
  return { ...whole, name: `${upstream.name}#${subset}${pool.clusterSuffix}`, assignment }
}

function clusterOptions({ spec }: Checked<'ServicePool'>): IrPool {
  const { outlierDetection: outliers } = spec
  return {
    localityWeighted: spec.mode === 'weighted',
    panicThreshold: spec.panicThreshold ?? 0,
    slowStartSeconds: spec.slowStartSeconds ?? 0,
    healthChecks: (spec.healthChecks ?? []).flatMap(healthCheck),
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
function suffixOf({ localityWeighted, panicThreshold, slowStartSeconds, healthChecks, outlierDetection: outliers }: IrPool): string {
  return [
    ...(localityWeighted ? ['|weighted'] : []),
    ...(panicThreshold === 0 ? [] : [`|panic:${panicThreshold}`]),
    ...(healthChecks.length === 0
      ? []
      : [`|checks:${createHash('sha256').update(JSON.stringify(healthChecks)).digest('hex').slice(0, 8)}`]),
    ...(slowStartSeconds === 0 ? [] : [`|slow-start:${slowStartSeconds}s`]),
    ...(outliers === undefined
      ? []
      : [`|outliers:${outliers.consecutive5xx},${outliers.baseEjectionSeconds}s,${outliers.maxEjectionPercent}%`]),
  ].join('')
}
