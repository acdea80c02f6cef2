import type { Presence } from '../model/health.ts'
import { isOurCopy } from './loop.ts'
import type { Evidence } from './pool-view.ts'

/** Source types, most trusted first, where several sources know the same address and port (reference/discovery.md 1.2 b). */
const usualTrust: readonly string[] = ['vm', 'kubernetes', 'consul', 'dns', 'file']

/** The order of evidence, best first: for sorting. Total, so that a merge does not depend on the order in which its parts came. */
export type Trust = (a: Evidence, b: Evidence) => number

const presenceRank: Record<Presence, number> = { live: 0, suspect: 1, expired: 2 }

/**
 * Originals before our own copies, live evidence before stale, sources that are read before those that were not read of late, then the
 * declared order, then names (reference/discovery.md 1.2).
 * @param first names or types of sources, most trusted first; those it leaves out follow in the usual order
 * @param isStale whether nothing was read of a source of late
 */
export function trustOrder(first: readonly string[], isStale: (source: string) => boolean): Trust {
  const order = [...first, ...usualTrust.filter(type => !first.includes(type))]
  const ranks = new Map<string, number>()
  const rankOf = ({ source, sourceType }: Evidence): number => {
    const known = ranks.get(source)
    if (known !== undefined) return known
    const named = order.indexOf(source)
    const typed = order.indexOf(sourceType)
    const rank = named >= 0 ? named : typed >= 0 ? typed : order.length
    ranks.set(source, rank)
    return rank
  }
  return (a, b) => {
    const rough = Number(isOurCopy(a)) - Number(isOurCopy(b)) || presenceRank[a.endpoint.presence] - presenceRank[b.endpoint.presence]
    if (rough !== 0) return rough
    if (a.source !== b.source) {
      return Number(isStale(a.source)) - Number(isStale(b.source)) || rankOf(a) - rankOf(b) || (a.source < b.source ? -1 : 1)
    }
    return compare(a.group, b.group) || compare(a.endpoint.address, b.endpoint.address) || compare(a.endpoint.id, b.endpoint.id)
  }
}

/** Puts one more into a list that is sorted: there are few. */
export function insertByTrust(sorted: Evidence[], one: Evidence, trust: Trust): void {
  let at = sorted.push(one) - 1
  for (; at > 0 && trust(one, sorted[at - 1] as Evidence) < 0; at--) sorted[at] = sorted[at - 1] as Evidence
  sorted[at] = one
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
