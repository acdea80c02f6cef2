import { didYouMean } from '../model/nearest.ts'
import { durationMs } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { ServicePoolSpec } from './schema/service-pool.ts'

/** Registries a member may be of; `any` is every one, `dns` a host name. */
export const memberKinds = ['kubernetes', 'consul', 'vm', 'file', 'any', 'dns'] as const

const maxMembers = 64
/** Each subset that a route uses is a cluster of its own in every Envoy. */
const maxSubsets = 32
const maxMatchKeys = 8
const maxLength = 256

/** The rules of a ServicePool that concern it alone (reference/discovery.md 1.5, 1.6; interface.md). */
export function checkServicePool(spec: ServicePoolSpec): KindFindings {
  const problems = [...checkMembers(spec), ...checkShares(spec), ...checkLocality(spec), ...checkSubsets(spec), ...checkLimits(spec)]
  return { problems, notices: notices(spec) }
}

type Members = ServicePoolSpec['members']

/** The one selector a member has; undefined if it has none or several. */
export function selectorOf(member: Members[number]): (typeof memberKinds)[number] | undefined {
  const kinds = memberKinds.filter(kind => member[kind] !== undefined)
  return kinds.length === 1 ? kinds[0] : undefined
}

/** The name written, or one made of what it selects. */
export function memberName(member: Members[number]): string {
  const kind = selectorOf(member) ?? 'member'
  const source = kind === 'dns' || kind === 'member' ? undefined : member[kind]?.source
  return member.name ?? (source === undefined ? kind : `${kind}-${source}`)
}

function checkMembers({ members }: ServicePoolSpec): readonly Finding[] {
  const found: Finding[] = []
  if (members.length > maxMembers)
    found.push({ path: ['spec', 'members'], text: `has ${members.length} members; ${maxMembers} are the most` })
  const names = new Map<string, number>()
  for (const [index, member] of members.entries()) {
    const at = ['spec', 'members', index]
    const given = memberKinds.filter(kind => member[kind] !== undefined)
    if (given.length !== 1)
      found.push({
        path: at,
        text: `must have exactly one of ${memberKinds.join(', ')}: it has ${given.length === 0 ? 'none' : given.join(' and ')}`,
      })
    if (member.dns !== undefined && !/^([A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9])?\.?)+$/.test(member.dns.name))
      found.push({ path: [...at, 'dns', 'name'], text: `"${member.dns.name}" is no host name` })
    const name = memberName(member)
    const first = names.get(name)
    if (first === undefined) names.set(name, index)
    else
      found.push({
        path: member.name === undefined ? at : [...at, 'name'],
        text: `is called "${name}", as spec.members[${first}] is; give each member a name of its own`,
      })
    if (name.length > maxLength) found.push({ path: [...at, 'name'], text: `is longer than ${maxLength} characters` })
  }
  return found
}

/** Percentages of one level give at most 100. */
function checkShares({ mode, members }: ServicePoolSpec): readonly Finding[] {
  if (mode !== 'weighted') return []
  return [...Map.groupBy(members.entries(), ([, member]) => member.priority ?? 0)].flatMap(([level, group]) => {
    const sum = group.reduce((total, [, member]) => total + (member.weight ?? 0), 0)
    const where = members.some(member => (member.priority ?? 0) !== level) ? ` of priority ${level}` : ''
    if (sum > 100)
      return group
        .filter(([, member]) => member.weight !== undefined)
        .map(([index]) => ({
          path: ['spec', 'members', index, 'weight'],
          text: `the weights of the members${where} add up to ${sum} percent; they may give at most 100`,
        }))
    if (sum === 0 && group.every(([, member]) => member.weight === 0))
      return [{ path: ['spec', 'members'], text: `every member${where} has weight 0: nothing would get requests` }]
    return []
  })
}

/** A member of a weighted pool is what Envoy calls a locality: it has no room for zones. */
function checkLocality({ mode, locality }: ServicePoolSpec): readonly Finding[] {
  if (mode !== 'weighted' || locality?.prefer !== 'zone') return []
  const text = 'zone does not go with mode weighted, in which each member keeps its share in every zone; use union, priority or failover'
  return [{ path: ['spec', 'locality', 'prefer'], text }]
}

function checkSubsets({ subsets = [] }: ServicePoolSpec): readonly Finding[] {
  const found: Finding[] = []
  if (subsets.length > maxSubsets)
    found.push({ path: ['spec', 'subsets'], text: `has ${subsets.length} subsets; ${maxSubsets} are the most` })
  const byName = new Map(subsets.map(subset => [subset.name, subset]))
  for (const [index, { name, match, fallback }] of subsets.entries()) {
    const at = ['spec', 'subsets', index]
    if (name === 'none' || name === 'any')
      found.push({ path: [...at, 'name'], text: `"${name}" is a word of fallback; choose another name` })
    if (!/^[A-Za-z0-9]([-A-Za-z0-9_]{0,61}[A-Za-z0-9])?$/.test(name))
      found.push({ path: [...at, 'name'], text: `"${name}" must be letters, digits, "-" and "_", at most 63` })
    if (subsets.findIndex(one => one.name === name) !== index)
      found.push({ path: [...at, 'name'], text: `"${name}" is the name of another subset, too` })
    const entries = Object.entries(match)
    if (entries.length === 0 || entries.length > maxMatchKeys)
      found.push({ path: [...at, 'match'], text: `must have 1 to ${maxMatchKeys} keys, such as version: "2" or "tag:v2": "true"` })
    if (entries.some(([key, value]) => key.length > maxLength || value.length > maxLength))
      found.push({ path: [...at, 'match'], text: `has a key or value longer than ${maxLength} characters` })
    if (fallback !== undefined && fallback !== 'none' && fallback !== 'any' && !byName.has(fallback)) {
      const hint = didYouMean(fallback, [...byName.keys(), 'none', 'any'])
      found.push({
        path: [...at, 'fallback'],
        text: `"${fallback}" is no subset of this pool; give none, any or a subset${hint === '' ? '' : `: ${hint}`}`,
      })
    }
    const cycle = cycleFrom(name, byName)
    if (cycle !== undefined) found.push({ path: [...at, 'fallback'], text: `falls back in a circle: ${cycle.join(' → ')}` })
  }
  return found
}

/** The way round, if following fallbacks from a subset leads back to it. */
function cycleFrom(name: string, subsets: ReadonlyMap<string, { readonly fallback?: string | undefined }>): readonly string[] | undefined {
  const way = [name]
  for (let next = subsets.get(name)?.fallback; next !== undefined && subsets.has(next); next = subsets.get(next)?.fallback) {
    if (next === name) return [...way, name]
    if (way.includes(next)) return undefined
    way.push(next)
  }
  return undefined
}

function checkLimits({ outlierDetection, healthChecks = [] }: ServicePoolSpec): readonly Finding[] {
  const found: Finding[] = []
  if (outlierDetection?.maxEjectionPercent === 0)
    found.push({
      path: ['spec', 'outlierDetection', 'maxEjectionPercent'],
      text: '0 would never eject anything; leave outlierDetection out',
    })
  for (const [index, { health_check: check, timeout, interval }] of healthChecks.entries()) {
    for (const [key, value] of Object.entries({ timeout, interval }))
      if (value !== undefined && durationMs(value) < 1)
        found.push({ path: ['spec', 'healthChecks', index, key], text: `${value} is less than 1ms` })
    if ((check.http === undefined) === (check.grpc === undefined))
      found.push({ path: ['spec', 'healthChecks', index, 'health_check'], text: 'must have exactly one of http and grpc' })
  }
  return found
}

function notices(spec: ServicePoolSpec): readonly string[] {
  const found: string[] = []
  const mode = spec.mode ?? 'union'
  if (mode !== 'weighted' && spec.members.some(member => member.weight !== undefined))
    found.push(`weights of members have no effect in mode ${mode}; mode weighted splits by percent`)
  if (mode === 'union' && spec.members.some(member => member.priority !== undefined))
    found.push('priorities of members have no effect in mode union; mode priority has levels')
  if (mode === 'weighted') {
    const written = spec.members.filter(member => (member.priority ?? 0) === 0)
    const sum = written.reduce((total, member) => total + (member.weight ?? 0), 0)
    if (sum < 100 && written.every(member => member.weight !== undefined))
      found.push(`the weights add up to ${sum} percent: they count in proportion`)
  }
  const guarded = spec.outlierDetection !== undefined || (spec.healthChecks ?? []).length > 0
  if ((mode === 'priority' || mode === 'failover') && !guarded)
    found.push(
      'fails over by what the registries say alone: add outlierDetection or healthChecks so that Envoy notices a dead endpoint itself',
    )
  return found
}
