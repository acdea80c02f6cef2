import type { CheckPolicy, PoolMember, PoolRule } from '../model/pool-rule.ts'
import type { Reason } from '../model/reason.ts'
import { applyOverride } from './apply-override.ts'
import { byTrust, decide } from './decide.ts'
import { type Candidate, candidatesOf } from './members.ts'
import { comparePlaces } from './pool-order.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'

/**
 * The pool that a rule makes of what sources know (reference/discovery.md 1.6): each endpoint once, with the evidence of all members that
 * select it; of those the one of the lowest level, then the first written, has it. Pure; what equals its part of `former` is that same
 * object, up to the whole view.
 * @param former the last view this gave for the same rule
 * @param bases what sources know under each key that a member names; unknown ones are left out
 */
export function derivePool(rule: PoolRule, former: PoolView | undefined, bases: ReadonlyMap<string, PoolView>): PoolView {
  const lists = ranked(rule.members).flatMap(member =>
    member.services.flatMap(service => {
      const base = bases.get(service)
      return base === undefined ? [] : [candidatesOf(member, base)]
    }),
  )
  const endpoints = join(rule, mergeSorted(lists), former?.rule === rule ? former.endpoints : [])
  const sources = [...new Set(endpoints.flatMap(one => one.evidence.map(evidence => evidence.source)))].sort()
  if (former?.rule === rule && endpoints === former.endpoints && sources.join('\0') === former.sources.join('\0')) return former
  return Object.freeze({ service: rule.service, mode: rule.mode, rule, endpoints, sources })
}

function ranked(members: readonly PoolMember[]): readonly PoolMember[] {
  return [...members].sort((a, b) => a.level - b.level)
}

/** One list in the pool's order; of equal places that of the earlier list is first. */
function mergeSorted(lists: readonly (readonly Candidate[])[]): readonly Candidate[] {
  const [first = [], ...others] = lists
  return others.reduce((all, list) => (list.length === 0 ? all : all.length === 0 ? list : mergeTwo(all, list)), first)
}

function mergeTwo(a: readonly Candidate[], b: readonly Candidate[]): readonly Candidate[] {
  const merged: Candidate[] = []
  let i = 0
  let j = 0
  for (;;) {
    const left = a[i]
    const right = b[j]
    if (left === undefined || right === undefined) break
    if (comparePlaces(left.at, right.at) <= 0) {
      merged.push(left)
      i++
    } else {
      merged.push(right)
      j++
    }
  }
  for (; i < a.length; i++) merged.push(a[i] as Candidate)
  for (; j < b.length; j++) merged.push(b[j] as Candidate)
  return merged
}

/** Makes each place one endpoint, or keeps the former one. */
function join(rule: PoolRule, candidates: readonly Candidate[], former: readonly PoolEndpoint[]): readonly PoolEndpoint[] {
  const joined: PoolEndpoint[] = []
  let from = 0
  for (let index = 0; index < candidates.length; ) {
    const first = candidates[index] as Candidate
    let end = index + 1
    while (end < candidates.length && comparePlaces((candidates[end] as Candidate).at, first.at) === 0) end++
    const evidence = end === index + 1 ? first.evidence : joinEvidence(candidates.slice(index, end))
    const override = candidates.slice(index, end).find(one => one.at.override !== undefined)?.at.override
    while (from < former.length && comparePlaces(former[from] as PoolEndpoint, first.at) < 0) from++
    const old = former[from]
    const same =
      old !== undefined &&
      comparePlaces(old, first.at) === 0 &&
      old.member === first.member &&
      old.override === override &&
      sameItems(old.evidence, evidence)
    if (same) joined.push(old)
    else {
      const made = place(first.member, decide(evidence), rule.health)
      joined.push(override === undefined ? made : applyOverride(made, override))
    }
    index = end
  }
  return joined.length === former.length && sameItems(joined, former) ? former : Object.freeze(joined)
}

/** All evidence of several members, each once, best first. */
function joinEvidence(candidates: readonly Candidate[]): readonly Evidence[] {
  const all = [...new Set(candidates.flatMap(one => one.evidence))]
  return Object.freeze(all.length === 1 ? all : all.sort(byTrust))
}

function place(member: PoolMember, decided: PoolEndpoint, _health: CheckPolicy): PoolEndpoint {
  if (member.share !== 0) return Object.freeze({ ...decided, member })
  const reason: Reason = { code: 'member-share-zero', text: `its member ${member.name} gets 0 percent of the requests` }
  return Object.freeze({ ...decided, member, excluded: true, reasons: Object.freeze([...decided.reasons, reason]) })
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}
