import type { PoolMember } from '../model/pool-rule.ts'
import type { PortSelector } from '../model/port-selector.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'
import { selectPorts } from './select-ports.ts'

/** An endpoint that a member selects, with the part of its evidence that is the member's. */
export interface Candidate {
  readonly at: PoolEndpoint
  readonly member: PoolMember
  /** `at.evidence` itself where all of it is. Not empty. */
  readonly evidence: readonly Evidence[]
  readonly port: number
}

/** What a member selects of what sources know under one of its keys, in the pool's order. */
export function candidatesOf(member: PoolMember, base: PoolView): readonly Candidate[] {
  const found: Candidate[] = []
  for (const at of base.endpoints) {
    if (at.goneAt !== undefined) continue
    const evidence = selected(member, at.evidence)
    if (evidence.length > 0) found.push({ at, member, evidence, port: at.port })
  }
  return member.port === undefined ? found : selectPorts(found, portSelector(member.port))
}

/** Why a member does not take what sources know of an endpoint, in words; undefined if its filters let it in. */
export function whyNotMember(member: PoolMember, evidence: readonly Evidence[]): string | undefined {
  const [first] = evidence
  if (first === undefined || selected(member, evidence).length > 0) return undefined
  return evidence.map(one => refusal(member, one) ?? '').join('; ')
}

function selected(member: PoolMember, evidence: readonly Evidence[]): readonly Evidence[] {
  for (const one of evidence) if (!takes(member, one)) return evidence.filter(other => takes(member, other))
  return evidence
}

function takes({ sourceType, sources, tags, meta }: PoolMember, { source, sourceType: type, endpoint }: Evidence): boolean {
  if (sourceType !== undefined && sourceType !== type) return false
  if (sources !== undefined && !sources.includes(source)) return false
  for (const tag of tags) if (!endpoint.tags.includes(tag)) return false
  for (const key in meta) if (endpoint.meta[key] !== meta[key]) return false
  return true
}

function refusal(member: PoolMember, one: Evidence): string | undefined {
  const { sourceType, sources, tags, meta } = member
  if (sourceType !== undefined && sourceType !== one.sourceType) return `${one.source} is of type ${one.sourceType}, not ${sourceType}`
  if (sources !== undefined && !sources.includes(one.source)) return `it takes ${sources.join(', ')} only, this is known to ${one.source}`
  const tag = tags.find(wanted => !one.endpoint.tags.includes(wanted))
  if (tag !== undefined) return `${one.source} gives it no tag "${tag}"`
  const key = Object.keys(meta).find(wanted => one.endpoint.meta[wanted] !== meta[wanted])
  return key === undefined ? undefined : `${one.source} gives it no ${key}=${meta[key] ?? ''} in its metadata`
}

function portSelector(port: number | string): PortSelector {
  return typeof port === 'number' ? { kind: 'number', number: port } : { kind: 'name', name: port }
}
