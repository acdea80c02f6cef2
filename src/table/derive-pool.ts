import type { PoolMember, PoolRule } from '../model/pool-rule.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { applyOverride } from './apply-override.ts'
import { bar } from './bar.ts'
import { decide } from './decide.ts'
import { type Candidate, candidatesOf, joinCandidates, type Selections } from './members.ts'
import { placeIn } from './place-in.ts'
import { comparePlaces } from './pool-order.ts'
import type { PoolEndpoint, PoolView } from './pool-view.ts'
import type { Trust } from './trust.ts'

/**
 * The pool that a rule makes of what sources know (reference/discovery.md 1.6): each endpoint once, with the evidence of all members that
 * select it; of those the one of the lowest level, then the first written, has it. Pure; what equals its part of `former` is that same
 * object, up to the whole view.
 * @param former the last view this gave for the same rule
 * @param bases what sources know under each key that a member names; unknown ones are left out
 * @param selections those of the same rule, which this fills
 */
export function derivePool(
  rule: PoolRule,
  former: PoolView | undefined,
  bases: ReadonlyMap<ServiceKey, PoolView>,
  selections: Selections,
  trust: Trust,
): PoolView {
  const ranked = [...rule.members].sort((a, b) => a.level - b.level)
  const lists = [...bases].map(([service, base]) =>
    candidatesOf(
      ranked.filter(member => member.services.includes(service)),
      base,
      selections,
      trust,
    ),
  )
  const endpoints = join(ranked, mergeSorted(lists), former?.rule === rule ? former.endpoints : [], trust)
  if (former?.rule === rule && endpoints === former.endpoints) return former
  const sources = new Set<string>()
  for (const { evidence } of endpoints) for (const { source } of evidence) sources.add(source)
  return { service: rule.service, mode: rule.mode, rule, endpoints, sources: [...sources].sort() }
}

/** One list in the pool's order; of equal places that of the earlier list is first. Linear: there are few lists. */
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
function join(
  ranked: readonly PoolMember[],
  candidates: readonly Candidate[],
  former: readonly PoolEndpoint[],
  trust: Trust,
): readonly PoolEndpoint[] {
  const joined: PoolEndpoint[] = []
  let from = 0
  for (let index = 0; index < candidates.length; ) {
    const first = candidates[index] as Candidate
    let end = index + 1
    while (end < candidates.length && comparePlaces((candidates[end] as Candidate).at, first.at) === 0) end++
    const same = end === index + 1 ? undefined : candidates.slice(index, end)
    const { member, evidence } = same === undefined ? first : joinCandidates(same, ranked, trust)
    const override = same === undefined ? first.at.override : same.find(one => one.at.override !== undefined)?.at.override
    const { barred } = first.at
    index = end
    let order = -1
    while (from < former.length && (order = comparePlaces(former[from] as PoolEndpoint, first.at)) < 0) from++
    const old = order === 0 ? former[from] : undefined
    if (
      old !== undefined &&
      old.member === member &&
      old.override === override &&
      old.barred === barred &&
      sameItems(old.evidence, evidence)
    ) {
      joined.push(old)
      continue
    }
    const decided = decide(first.at, evidence)
    const made = placeIn(member, barred === undefined || override?.action === 'pin' ? decided : bar(decided, barred))
    joined.push(override === undefined ? made : applyOverride(made, override))
  }
  return sameItems(joined, former) ? former : joined
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}
