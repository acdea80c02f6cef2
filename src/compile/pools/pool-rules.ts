import type { Checked, Finding } from '../../manifests/checked-object.ts'
import { memberName, selectorOf } from '../../manifests/check-service-pool.ts'
import { didYouMean } from '../../model/nearest.ts'
import { type PoolMember, poolNamesSource, type PoolRule } from '../../model/pool-rule.ts'
import { type ServiceKey, serviceKey } from '../../model/service-key.ts'
import { memberLevels, memberShares } from './shares.ts'

type Pool = Checked<'ServicePool'>
type Member = Pool['spec']['members'][number]

/** A source that runs, as far as pools can tell it apart. */
export interface KnownSource {
  readonly name: string
  readonly type: string
  /** Of its services that have none of their own. */
  readonly namespace: string
  /** Of a Consul source, if it is set. */
  readonly datacenter: string | undefined
}

const defaultDrainSeconds = 30

/**
 * The rule of a ServicePool, its names resolved.
 * @param sources undefined offline, where any name may be one
 * @returns the rule, or what is wrong with it
 */
export function poolRule(pool: Pool, sources: readonly KnownSource[] | undefined): PoolRule | readonly Finding[] {
  const { spec, manifest } = pool
  const mode = spec.mode ?? 'union'
  const levels = memberLevels(mode, spec.members)
  const shares = memberShares(mode, spec.members, levels)
  const problems: Finding[] = []
  const members = spec.members.flatMap((member, index): readonly PoolMember[] => {
    const selected = select(member, manifest.namespace, sources)
    if ('text' in selected) {
      problems.push({ path: ['spec', 'members', index, ...selected.path], text: selected.text })
      return []
    }
    const health = spec.health === undefined && member.health === undefined ? undefined : { ...spec.health, ...member.health }
    return [
      {
        name: memberName(member),
        ...selected,
        share: shares[index],
        level: levels[index] ?? 0,
        ...(health === undefined ? {} : { health }),
      },
    ]
  })
  if (problems.length > 0) return problems
  return {
    service: serviceKey(manifest.namespace, manifest.name),
    mode,
    members,
    ...(spec.locality?.prefer === 'zone' ? { preferZone: true } : {}),
    drainSeconds: spec.drainSeconds ?? defaultDrainSeconds,
    ...(spec.guards === undefined ? {} : { guards: spec.guards }),
  }
}

type Selection = Omit<PoolMember, 'name' | 'share' | 'level' | 'health'>

function select(member: Member, namespace: string, sources: readonly KnownSource[] | undefined): Selection | Finding {
  const kind = selectorOf(member)
  if (kind === undefined) return { path: [], text: 'must have exactly one selector' }
  if (kind === 'dns') return selectName(member.dns, namespace)
  const given = member[kind]
  if (given === undefined) return { path: [], text: 'must have exactly one selector' }
  const ofType = sources?.filter(source => kind === 'any' || source.type === kind)
  const datacenter = kind === 'consul' ? member.consul?.datacenter : undefined
  let chosen = ofType
  if (given.source !== undefined && ofType !== undefined) {
    chosen = ofType.filter(source => source.name === given.source)
    if (chosen.length === 0) return { path: [kind, 'source'], text: unknownSource(given.source, kind, sources ?? [], ofType) }
  }
  if (datacenter !== undefined && chosen !== undefined) {
    const known = [...new Set(chosen.flatMap(source => source.datacenter ?? []))]
    chosen = chosen.filter(source => source.datacenter === datacenter)
    if (chosen.length === 0)
      return {
        path: [kind, 'datacenter'],
        text: `no Consul source is set to datacenter "${datacenter}"${known.length === 0 ? '' : `; they are set to ${known.join(', ')}`}`,
      }
  }
  return {
    services: servicesOf(given, kind, namespace, chosen),
    sourceType: kind === 'any' ? undefined : kind,
    // Sources that come later count, too, unless some were named.
    sources:
      given.source === undefined && datacenter === undefined
        ? undefined
        : (chosen?.map(source => source.name) ?? (given.source === undefined ? undefined : [given.source])),
    port: given.port,
    tags: given.tags ?? [],
    meta: given.meta ?? {},
  }
}

/** The gateway looks the name up itself, and files its addresses under a key that no registry has. */
function selectName(dns: Member['dns'], namespace: string): Selection | Finding {
  if (dns === undefined) return { path: [], text: 'must have exactly one selector' }
  const { name, port } = dns
  const services = [serviceKey(namespace, `${name}:${String(port)}`)]
  return { services, sourceType: 'dns', sources: [poolNamesSource], port: undefined, tags: [], meta: {}, hostName: { name, port } }
}

function unknownSource(name: string, kind: string, all: readonly KnownSource[], ofType: readonly KnownSource[]): string {
  const other = all.find(source => source.name === name)
  if (other !== undefined) return `source "${name}" is of type ${other.type}, not ${kind}`
  const hint = didYouMean(
    name,
    ofType.map(source => source.name),
  )
  const known =
    ofType.length === 0 ? `there is no source of type ${kind}` : `those of type ${kind} are ${ofType.map(source => source.name).join(', ')}`
  return `there is no source "${name}"; ${hint === '' ? known : hint}`
}

/**
 * Under which keys the member's sources know it. Without a namespace: the pool's own and those of the sources, for services that were
 * registered without one; Kubernetes always has one, and it is the pool's.
 */
function servicesOf(
  { service, namespace }: { readonly service: string; readonly namespace?: string | undefined },
  kind: string,
  own: string,
  sources: readonly KnownSource[] | undefined,
): readonly ServiceKey[] {
  if (namespace !== undefined) return [serviceKey(namespace, service)]
  const namespaces = kind === 'kubernetes' ? [own] : [own, ...(sources ?? []).map(source => source.namespace)]
  return [...new Set(namespaces)].map(one => serviceKey(one, service))
}
