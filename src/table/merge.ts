import type { Endpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import { sameEndpoint } from '../model/same-endpoint.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { byTrust, decide } from './decide.ts'
import { comparePlaces, findPlace } from './pool-order.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'

const noEndpoints: readonly PoolEndpoint[] = Object.freeze([])
const none: readonly Evidence[] = Object.freeze([])

/** One group of one source, before and after; undefined: it was, or is, not there. */
export interface GroupChange {
  readonly source: string
  readonly sourceType: string
  readonly before: EndpointGroup | undefined
  readonly after: EndpointGroup | undefined
}

/**
 * The union of what every source knows of a service (reference/discovery.md 1.2): one endpoint per address, port and protocol, all its
 * evidence kept, weights never summed. Takes the former view and the groups that changed since, so that one changed endpoint among a
 * thousand costs one decision. Pure; the result does not depend on the order or the steps in which the groups came. Whatever equals its
 * part of `former` is that same object, up to the whole view: identity means "no change" downstream.
 * @param sources names of the sources that know the service now, sorted
 */
export function mergePool(
  service: ServiceKey,
  former: PoolView | undefined,
  changes: readonly GroupChange[],
  sources: readonly string[],
): PoolView {
  const endpoints = mergeEndpoints(former?.endpoints ?? noEndpoints, changes)
  if (former !== undefined && endpoints === former.endpoints && sameItems(former.sources, sources)) return former
  return Object.freeze({ service, mode: 'union', endpoints, sources })
}

function mergeEndpoints(former: readonly PoolEndpoint[], changes: readonly GroupChange[]): readonly PoolEndpoint[] {
  const touched = touchedPlaces(former, changes)
  const merged: PoolEndpoint[] = []
  let from = 0
  let same = true
  for (const { at, evidence } of touched) {
    const index = at < 0 ? -at - 1 : at
    for (; from < index; from++) merged.push(former[from] as PoolEndpoint)
    const old = at < 0 ? undefined : former[at]
    if (old !== undefined) from++
    const decided =
      evidence.length === 0
        ? undefined
        : old !== undefined && sameItems(old.evidence, evidence)
          ? old
          : // A copy, because a list that grew by push keeps room for more.
            decide(Object.freeze(evidence.slice()))
    if (decided !== undefined) merged.push(decided)
    same &&= decided === old
  }
  if (same) return former
  for (; from < former.length; from++) merged.push(former[from] as PoolEndpoint)
  return Object.freeze(merged)
}

/** Each address and port that a changed group names or named, in canonical order, with all evidence there is for it now. */
function touchedPlaces(former: readonly PoolEndpoint[], changes: readonly GroupChange[]): { at: number; evidence: Evidence[] }[] {
  const named: { place: Endpoint; evidence: Evidence | undefined }[] = []
  for (const { source, sourceType, before, after } of changes) {
    for (const endpoint of before?.endpoints ?? []) named.push({ place: endpoint, evidence: undefined })
    for (const endpoint of after?.endpoints ?? []) {
      named.push({ place: endpoint, evidence: Object.freeze({ source, sourceType, group: after?.id ?? '', endpoint }) })
    }
  }
  named.sort((a, b) => comparePlaces(a.place, b.place))
  const changed = new Set(changes.map(change => groupKey(change.source, (change.before ?? change.after)?.id ?? '')))
  const touched: { at: number; evidence: Evidence[] }[] = []
  let last: { place: Endpoint; evidence: Evidence[]; old: readonly Evidence[] } | undefined
  for (const { place, evidence } of named) {
    if (last === undefined || comparePlaces(last.place, place) !== 0) {
      const at = findPlace(former, place)
      const old = at < 0 ? none : (former[at] as PoolEndpoint).evidence
      last = { place, old, evidence: old.filter(one => !changed.has(groupKey(one.source, one.group))) }
      touched.push({ at, evidence: last.evidence })
    }
    if (evidence !== undefined) last.evidence.push(keepSame(last.old, evidence))
  }
  for (const { evidence } of touched) if (evidence.length > 1) evidence.sort(byTrust)
  return touched
}

/** The former evidence that says the same, or the new one. */
function keepSame(old: readonly Evidence[], one: Evidence): Evidence {
  return old.find(known => known.source === one.source && known.group === one.group && sameEndpoint(known.endpoint, one.endpoint)) ?? one
}

function groupKey(source: string, group: string): string {
  return `${source}\0${group}`
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
