import { refText } from '../../model/object-ref.ts'
import { type MappingRoute, disagreement } from './mapping-route.ts'
import { byRouteOrder, compare } from './order.ts'
import type { Report } from './report.ts'
import { type Share, splitWeights } from './weights.ts'

/** Mappings that split the requests of one match, with their shares. */
export interface RouteGroup {
  readonly members: readonly { readonly route: MappingRoute; readonly share: Share }[]
  /** Some requests fall through to later groups. */
  readonly partial: boolean
}

/**
 * Groups the Mappings of one Host and sorts the groups as they are matched (emissary-resources.md 11). Members stand in the order of
 * namespace and name. A member that disagrees with the first is refused; a split over 100 % refuses every member.
 * @param routes in any order
 */
export function groupRoutes(routes: readonly MappingRoute[], report: Report): readonly RouteGroup[] {
  const byKey = new Map<string, MappingRoute[]>()
  for (const route of routes) {
    const group = byKey.get(route.groupKey)
    if (group === undefined) byKey.set(route.groupKey, [route])
    else group.push(route)
  }
  return [...byKey]
    .sort(
      ([keyA, a], [keyB, b]) =>
        (a[0] !== undefined && b[0] !== undefined ? byRouteOrder(a[0].order, b[0].order) : 0) || compare(keyA, keyB),
    )
    .flatMap(([, members]) => makeGroup(members.sort(byName), report))
}

function makeGroup(all: readonly MappingRoute[], report: Report): readonly RouteGroup[] {
  const members = agreeing(all, report)
  const shares = splitWeights(members.map(member => member.mapping.spec.weight))
  if ('sum' in shares) {
    report.refuseGroup(
      members.map(({ mapping }) => {
        const others = members.filter(other => other.mapping !== mapping).map(other => refText(other.mapping.manifest.ref))
        const text = `the weights of this Mapping and of ${others.join(', ')} add up to ${shares.sum}; they may give at most 100`
        return { object: mapping, finding: { path: ['spec', 'weight'], text } }
      }),
    )
    return []
  }
  const [only] = members
  if (only !== undefined && members.length === 1 && (only.mapping.spec.weight ?? 100) < 100)
    report.notice(only.mapping, 'spec.weight has no effect: no other Mapping has the same match on this Host, so it takes all requests')
  const namespaces = new Set(members.map(member => member.mapping.manifest.namespace))
  if (namespaces.size > 1)
    for (const { mapping } of members)
      report.notice(
        mapping,
        `its requests are split with Mappings of other namespaces: ${members.map(one => refText(one.mapping.manifest.ref)).join(', ')}`,
      )
  const placed = members.flatMap((route, index) => {
    const share = shares[index]
    return share === undefined ? [] : [{ route, share }]
  })
  return [{ members: placed, partial: (placed.at(-1)?.share.upTo ?? 100) < 100 }]
}

function agreeing(all: readonly MappingRoute[], report: Report): readonly MappingRoute[] {
  const [first] = all
  if (first === undefined) return all
  return all.filter(member => {
    const field = disagreement(first, member)
    if (field === undefined) return true
    const text = `differs from ${refText(first.mapping.manifest.ref)}, with which this Mapping shares its match; they must agree`
    report.refuse(member.mapping, { path: ['spec', field], text })
    return false
  })
}

function byName(a: MappingRoute, b: MappingRoute): number {
  const [x, y] = [a.mapping.manifest, b.mapping.manifest]
  return compare(x.namespace, y.namespace) || compare(x.name, y.name)
}
