import type { Endpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import { sameEndpoint } from '../model/same-endpoint.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { decide } from './decide.ts'
import { comparePlaces, findPlace } from './pool-order.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'
import { insertByTrust, type Trust } from './trust.ts'

const noEndpoints: readonly PoolEndpoint[] = []
const none: readonly Evidence[] = []

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
 * Addresses of two families stay apart here; see `joinFamilies`.
 * @param sources names of the sources that know the service now, sorted
 */
export function mergePool(
  service: ServiceKey,
  former: PoolView | undefined,
  changes: readonly GroupChange[],
  sources: readonly string[],
  trust: Trust,
): PoolView {
  const known = former?.endpoints ?? noEndpoints
  const touched = touchedPlaces(known, changes, trust)
  const endpoints = mergeEndpoints(known, touched)
  if (former !== undefined && endpoints === former.endpoints && sameItems(former.sources, sources)) return former
  // Looked at as a whole only where there was one before, which may have gone.
  const hasIpv6 = former?.hasIpv6 === true ? endpoints.some(isIpv6) : touched.some(one => one.evidence.length > 0 && isIpv6(one.place))
  return { service, mode: 'union', endpoints, sources, ...(hasIpv6 && { hasIpv6 }) }
}

/** The same merge where other sources are trusted than before: what another evidence decides now is decided anew. */
export function rerank(view: PoolView, trust: Trust): PoolView {
  const endpoints = view.endpoints.map(one => {
    const sorted = one.evidence.toSorted(trust)
    return sameItems(sorted, one.evidence) ? one : decide(one, sorted)
  })
  return sameItems(endpoints, view.endpoints) ? view : { ...view, endpoints }
}

export function isIpv6({ address }: { readonly address: string }): boolean {
  return address.includes(':')
}

function mergeEndpoints(former: readonly PoolEndpoint[], touched: readonly Touched[]): readonly PoolEndpoint[] {
  const merged: PoolEndpoint[] = []
  let from = 0
  let same = true
  for (const { at, place, evidence } of touched) {
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
            decide(place, evidence.slice())
    if (decided !== undefined) merged.push(decided)
    same &&= decided === old
  }
  if (same) return former
  for (; from < former.length; from++) merged.push(former[from] as PoolEndpoint)
  return merged
}

/** An address and port that is to be decided anew: what was known of it and is not changed, and what the changes say. */
interface Touched {
  readonly place: Endpoint
  readonly at: number
  readonly old: readonly Evidence[]
  readonly evidence: Evidence[]
}

/** Each address and port that a changed group names or named, in canonical order, with all evidence there is for it now. */
function touchedPlaces(former: readonly PoolEndpoint[], changes: readonly GroupChange[], trust: Trust): readonly Touched[] {
  const changed = new Set(changes.map(change => groupKey(change.source, (change.before ?? change.after)?.id ?? '')))
  const byAddress = new Map<string, Touched | Touched[]>()
  const all: Touched[] = []
  const touch = (place: Endpoint): Touched => {
    const known = findTouched(byAddress, place)
    if (known !== undefined) return known
    const at = findPlace(former, place)
    const old = at < 0 ? none : (former[at] as PoolEndpoint).evidence
    const touched = { place, at, old, evidence: old.filter(one => !changed.has(groupKey(one.source, one.group))) }
    const others = byAddress.get(place.address)
    if (others === undefined) byAddress.set(place.address, touched)
    else byAddress.set(place.address, Array.isArray(others) ? [...others, touched] : [others, touched])
    all.push(touched)
    return touched
  }
  const add = ({ old, evidence }: Touched, { source, sourceType, after }: GroupChange, endpoint: Endpoint) => {
    const group = after?.id ?? ''
    insertByTrust(evidence, keepSame(old, source, group, endpoint) ?? { source, sourceType, group, endpoint }, trust)
  }
  const kept: (readonly Endpoint[])[] = []
  for (const change of changes) {
    const { gone, came, stayed } = compareGroups(change.before?.endpoints ?? [], change.after?.endpoints ?? [])
    for (const endpoint of gone) touch(endpoint)
    for (const endpoint of came) add(touch(endpoint), change, endpoint)
    kept.push(stayed)
  }
  // What a group says as before counts where something else about the place changed.
  for (const [index, change] of changes.entries()) {
    for (const endpoint of kept[index] ?? []) {
      const touched = findTouched(byAddress, endpoint)
      if (touched !== undefined) add(touched, change, endpoint)
    }
  }
  return all.sort((a, b) => comparePlaces(a.place, b.place))
}

function findTouched(byAddress: ReadonlyMap<string, Touched | Touched[]>, place: Endpoint): Touched | undefined {
  const found = byAddress.get(place.address)
  if (found === undefined) return undefined
  if (Array.isArray(found)) return found.find(one => comparePlaces(one.place, place) === 0)
  return comparePlaces(found.place, place) === 0 ? found : undefined
}

interface GroupDifference {
  readonly gone: readonly Endpoint[]
  readonly came: readonly Endpoint[]
  /** The very objects that it had before and still has: sources keep those that did not change. */
  readonly stayed: readonly Endpoint[]
}

/** What a group has and had. Most changes are of one endpoint, so both ends are walked first, where there is nothing to look up. */
function compareGroups(before: readonly Endpoint[], after: readonly Endpoint[]): GroupDifference {
  const shorter = Math.min(before.length, after.length)
  let head = 0
  while (head < shorter && before[head] === after[head]) head++
  let tail = 0
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++
  const had = before.slice(head, before.length - tail)
  const has = after.slice(head, after.length - tail)
  const ends = [...after.slice(0, head), ...after.slice(after.length - tail)]
  if (had.length === 0 || has.length === 0) return { gone: had, came: has, stayed: ends }
  const now = new Set(has)
  const old = new Set(had)
  return {
    gone: had.filter(one => !now.has(one)),
    came: has.filter(one => !old.has(one)),
    stayed: [...ends, ...has.filter(one => old.has(one))],
  }
}

/** The former evidence that says the same, if there is one. */
function keepSame(old: readonly Evidence[], source: string, group: string, endpoint: Endpoint): Evidence | undefined {
  for (const known of old) if (known.source === source && known.group === group && sameEndpoint(known.endpoint, endpoint)) return known
  return undefined
}

function groupKey(source: string, group: string): string {
  return `${source}\0${group}`
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
