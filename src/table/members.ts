import type { PoolMember } from '../model/pool-rule.ts'
import type { PortSelector } from '../model/port-selector.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'
import { selectPorts } from './select-ports.ts'
import type { Trust } from './trust.ts'

/** An endpoint that members of a pool select, with the part of its evidence that is theirs. */
export interface Candidate {
  readonly at: PoolEndpoint
  /** The first of them, by level and place. */
  readonly member: PoolMember
  /** `at.evidence` itself where all of it is. Not empty. */
  readonly evidence: readonly Evidence[]
}

/** What the members without a port made of an endpoint, for as long as both are what they are; null: none takes it. */
export type Selections = WeakMap<PoolEndpoint, Candidate | null>

/**
 * What members select of what sources know under one key, in the pool's order.
 * @param members those that name the key, in the order of level and place
 */
export function candidatesOf(members: readonly PoolMember[], base: PoolView, selections: Selections, trust: Trust): readonly Candidate[] {
  const open = members.filter(member => member.port === undefined)
  const ported = new Map<PoolEndpoint, Candidate[]>()
  for (const member of members) for (const one of portCandidates(member, base)) ported.set(one.at, [...(ported.get(one.at) ?? []), one])
  const found: Candidate[] = []
  for (const at of base.endpoints) {
    if (at.goneAt !== undefined) continue
    let candidate = selections.get(at)
    if (candidate === undefined) selections.set(at, (candidate = open.length === 0 ? null : select(open, at)))
    const others = ported.size === 0 ? undefined : ported.get(at)
    if (others !== undefined) candidate = joinCandidates(candidate === null ? others : [candidate, ...others], members, trust)
    if (candidate !== null) found.push(candidate)
  }
  return found
}

/** Candidates for one address and port as one: with all their evidence, each once, best first, of the first member in the order given. */
export function joinCandidates(all: readonly Candidate[], ranked: readonly PoolMember[], trust: Trust): Candidate {
  const first = all.reduce((best, one) => (ranked.indexOf(one.member) < ranked.indexOf(best.member) ? one : best))
  const evidence = [...new Set(all.flatMap(one => one.evidence))]
  return { ...first, evidence: evidence.sort(trust) }
}

function select(members: readonly PoolMember[], at: PoolEndpoint): Candidate | null {
  let first: PoolMember | undefined
  let taken = 0
  for (const one of at.evidence) {
    const taker = members.find(member => takes(member, one))
    if (taker === undefined) continue
    taken++
    if (first === undefined || members.indexOf(taker) < members.indexOf(first)) first = taker
  }
  if (first === undefined) return null
  const all = taken === at.evidence.length
  return {
    at,
    member: first,
    evidence: all ? at.evidence : at.evidence.filter(one => members.some(member => takes(member, one))),
  }
}

function portCandidates(member: PoolMember, base: PoolView): readonly Candidate[] {
  if (member.port === undefined) return []
  const found = base.endpoints.flatMap(at => {
    const evidence = at.goneAt === undefined ? selected(member, at.evidence) : []
    return evidence.length === 0 ? [] : [{ at, member, evidence, port: at.port }]
  })
  return selectPorts(found, portSelector(member.port))
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
