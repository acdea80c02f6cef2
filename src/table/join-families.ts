import { decide } from './decide.ts'
import { isIpv6 } from './merge.ts'
import { comparePlaces } from './pool-order.ts'
import type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'
import type { Trust } from './trust.ts'

/**
 * One endpoint for the IPv4 and the IPv6 address of one instance: two would get it twice the requests (reference/discovery.md 1.2). They are
 * one where a source has the same instance, port and protocol at both, or where some source names the one beside the other. IPv4 comes
 * first. Pure; the merge itself where there is nothing to join, and what equals its part of `former` is that same object.
 * @param merged by address, as `mergePool` gives it
 * @param former what this gave for the merge before
 */
export function joinFamilies(merged: PoolView, former: PoolView | undefined, trust: Trust): PoolView {
  if (merged.hasIpv6 !== true) return merged
  const pairs = pairsOf(merged.endpoints)
  if (pairs.size === 0) return merged
  const joined = new Set([...pairs.values()].flat())
  const old = former?.endpoints ?? []
  let from = 0
  const endpoints = merged.endpoints.flatMap((one): readonly PoolEndpoint[] => {
    if (joined.has(one)) return []
    const sixes = pairs.get(one)
    if (sixes === undefined) return [one]
    const evidence = [one, ...sixes].flatMap(each => each.evidence).sort(trust)
    let order = -1
    while (from < old.length && (order = comparePlaces(old[from] as PoolEndpoint, one)) < 0) from++
    const known = order === 0 ? old[from] : undefined
    return [known !== undefined && sameItems(known.evidence, evidence) ? known : decide(one, evidence)]
  })
  if (former !== undefined && sameItems(endpoints, old) && sameItems(merged.sources, former.sources)) return former
  return { ...merged, endpoints }
}

/** The IPv6 endpoints that are another address of an IPv4 one, by that. */
function pairsOf(endpoints: readonly PoolEndpoint[]): ReadonlyMap<PoolEndpoint, readonly PoolEndpoint[]> {
  const fours = new Map<string, PoolEndpoint>()
  const know = (key: string, four: PoolEndpoint) => {
    if (!fours.has(key)) fours.set(key, four)
  }
  for (const four of endpoints) {
    if (isIpv6(four)) continue
    know(placeKey(four.address, four), four)
    for (const one of four.evidence) {
      know(instanceKey(one), four)
      for (const address of one.endpoint.additionalAddresses) know(placeKey(address, four), four)
    }
  }
  const pairs = new Map<PoolEndpoint, PoolEndpoint[]>()
  for (const six of endpoints) {
    if (!isIpv6(six)) continue
    const keys = six.evidence.flatMap(one => [instanceKey(one), ...one.endpoint.additionalAddresses.map(address => placeKey(address, six))])
    const four = [placeKey(six.address, six), ...keys].map(key => fours.get(key)).find(known => known !== undefined)
    if (four === undefined) continue
    const known = pairs.get(four)
    if (known === undefined) pairs.set(four, [six])
    else known.push(six)
  }
  return pairs
}

function placeKey(address: string, { port, protocol }: Pick<PoolEndpoint, 'port' | 'protocol'>): string {
  return `at ${address} ${String(port)} ${protocol}`
}

function instanceKey({ source, endpoint: { id, port, protocol } }: Evidence): string {
  return `of ${source} ${String(port)} ${protocol} ${id}`
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]))
}
