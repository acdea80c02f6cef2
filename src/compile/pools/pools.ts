import { createHash } from 'node:crypto'
import type { IrPool } from '../../ir/pool.ts'
import type { Checked } from '../../manifests/checked-object.ts'
import type { PoolMember, PoolRule } from '../../model/pool-rule.ts'
import { type ServiceKey, serviceKey } from '../../model/service-key.ts'
import type { KnownServices } from '../emissary/input.ts'
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

/**
 * The pools of one pass, by the service each of them is. One that is refused leaves its service as it would be without it.
 * @param sources undefined offline, where nothing is said of names that no source knows
 */
export function compilePools(
  pools: readonly Checked<'ServicePool'>[],
  sources: readonly KnownSource[] | undefined,
  known: KnownServices,
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
  for (const pool of pools) {
    const own = serviceKey(pool.manifest.namespace, pool.manifest.name)
    for (const member of made.get(own)?.rule.members ?? []) {
      // The pool itself makes its own name known, so nothing can be said of a member of that name.
      if (member.services.includes(own)) continue
      for (const text of memberNotices(member, others(made, pool), sources === undefined ? undefined : known)) report.notice(pool, text)
    }
  }
  return made
}

/** The pools but for one: its members may select what sources know under its own name. */
function others(made: ReadonlyMap<ServiceKey, CompiledPool>, { manifest }: Checked<'ServicePool'>): ReadonlySet<ServiceKey> {
  const all = new Set(made.keys())
  all.delete(serviceKey(manifest.namespace, manifest.name))
  return all
}

/** Members that select what is not there: nothing that any source knows, or what another pool makes, which is none of a source's. */
function memberNotices(
  { name, services, hostName }: PoolMember,
  pools: ReadonlySet<ServiceKey>,
  known: KnownServices | undefined,
): readonly string[] {
  if (hostName !== undefined || known === undefined) return []
  // Each is asked for, so that it is compiled again once one becomes known.
  const found = services.filter(service => known.has(service))
  if (found.some(service => !pools.has(service))) return []
  const pool = services.find(service => pools.has(service))
  if (pool === undefined) return found.length > 0 ? [] : [`member ${name} has nothing: no source knows ${services.join(' or ')}`]
  return [`member ${name} selects what sources know as ${pool}, not what the ServicePool of that name makes of it: pools do not nest`]
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
