import { isDeepStrictEqual } from 'node:util'
import type { IrAnswer, IrForward, IrRedirect } from '../../ir/route-action.ts'
import type { IrRoute } from '../../ir/route-table.ts'
import { refText } from '../../model/object-ref.ts'
import { type MappingRoute, disagreement } from './mapping-route.ts'
import { byRouteOrder, compare } from './order.ts'
import type { Report } from './report.ts'
import { corsOf, groupAction, groupFields, headerChanges } from './route-options.ts'
import { type Share, splitWeights } from './weights.ts'

/** Mappings that split the requests of one match, with their shares. */
export interface RouteGroup {
  readonly members: readonly GroupMember[]
  /** Some requests fall through to later groups. */
  readonly partial: boolean
  /** What the group decides for all its routes. */
  readonly shared: Pick<IrRoute, 'headers' | 'cors'>
}

export interface GroupMember {
  readonly route: MappingRoute
  readonly share: Share
  readonly action: IrForward | IrRedirect | IrAnswer
}

/**
 * The Mappings of one Host, those of a group together, in the order in which groups are matched (emissary-resources.md 11). Members stand in
 * the order of namespace and name.
 * @param routes in any order
 */
export function groupMembers(routes: readonly MappingRoute[]): readonly (readonly [string, readonly MappingRoute[]])[] {
  const sorted = [...Map.groupBy(routes, route => route.groupKey)].sort(
    ([keyA, a], [keyB, b]) => (a[0] !== undefined && b[0] !== undefined ? byRouteOrder(a[0].order, b[0].order) : 0) || compare(keyA, keyB),
  )
  return sorted.map(([key, members]) => [key, members.sort(byName)])
}

/** A group of its members; one that disagrees with the first is refused, and a split over 100 % refuses every member. Undefined: none is left. */
export function makeGroup(all: readonly MappingRoute[], report: Report): RouteGroup | undefined {
  const agreed = agreeing(all, report)
  const normal = withoutMixture(
    agreed.filter(route => !route.shadow),
    report,
  )
  const mirrors = mirrorsOf(
    agreed.filter(route => route.shadow),
    normal,
    report,
  )
  if (normal.length === 0) return undefined
  const shares = splitWeights(normal.map(member => member.mapping.spec.weight))
  if ('sum' in shares) {
    report.refuseGroup(
      normal.map(({ mapping }) => {
        const others = normal.filter(other => other.mapping !== mapping).map(other => refText(other.mapping.manifest.ref))
        const text = `the weights of this Mapping and of ${others.join(', ')} add up to ${shares.sum}; they may give at most 100`
        return { object: mapping, finding: { path: ['spec', 'weight'], text } }
      }),
    )
    return undefined
  }
  noteGroup(normal, report)
  const mappings = normal.map(({ mapping }) => mapping)
  const decided = mappings
    .map(({ spec }) => pick(spec))
    .reduce((before, later) => ({ ...before, ...later }), normal[0]?.groupDefaults ?? {})
  const forGroup = { ...groupAction(decided), ...(mirrors.length === 0 ? {} : { mirrors }) }
  const members = normal.flatMap((route, index): readonly GroupMember[] => {
    const share = shares[index]
    if (share === undefined) return []
    const { action } = route
    return [{ route, share, action: action.kind === 'forward' ? { ...action, ...forGroup } : action }]
  })
  const headers = headerChanges(normal)
  const cors = corsOf(decided)
  const shared = { ...(headers === undefined ? {} : { headers }), ...(cors === undefined ? {} : { cors }) }
  return { members, partial: (members.at(-1)?.share.upTo ?? 100) < 100, shared }
}

/** The fields that a group shares, those that are set. */
function pick(spec: MappingRoute['mapping']['spec']): Partial<typeof spec> {
  return Object.fromEntries(groupFields.flatMap(field => (spec[field] === undefined ? [] : [[field, spec[field]]])))
}

function noteGroup(members: readonly MappingRoute[], report: Report): void {
  const [only] = members
  if (only !== undefined && members.length === 1 && (only.mapping.spec.weight ?? 100) < 100)
    report.notice(only.mapping, 'spec.weight has no effect: no other Mapping has the same match on this Host, so it takes all requests')
  const all = members.map(({ mapping }) => mapping)
  const namespaces = new Set(all.map(({ manifest }) => manifest.namespace))
  if (namespaces.size > 1)
    for (const mapping of all)
      report.notice(
        mapping,
        `its requests are split with Mappings of other namespaces: ${all.map(one => refText(one.manifest.ref)).join(', ')}`,
      )
  for (const field of groupFields) {
    const last = all.findLast(({ spec }) => spec[field] !== undefined)
    if (last === undefined) continue
    for (const mapping of all)
      if (!isDeepStrictEqual(mapping.spec[field], last.spec[field]))
        report.notice(mapping, `spec.${field} is that of ${refText(last.manifest.ref)}, with which it shares its match`)
  }
}

/** Redirects and normal members exclude each other; the first member decides (emissary-resources.md 11, "Misc"). */
function withoutMixture(members: readonly MappingRoute[], report: Report): readonly MappingRoute[] {
  const [first] = members
  if (first === undefined) return members
  return members.filter(member => {
    if (member.action.kind === first.action.kind) return true
    const text = `${refText(first.mapping.manifest.ref)}, with which it shares its match, ${first.action.kind === 'redirect' ? 'redirects' : 'does not redirect'}; they must agree`
    report.refuse(member.mapping, { path: ['spec', 'host_redirect'], text })
    return false
  })
}

/** One shadow per group, and none without a member that answers (emissary-resources.md 11, "Misc"). */
function mirrorsOf(shadows: readonly MappingRoute[], normal: readonly MappingRoute[], report: Report): NonNullable<IrForward['mirrors']> {
  const [first, ...others] = shadows
  if (first === undefined) return []
  for (const other of others)
    report.refuse(other.mapping, {
      path: ['spec', 'shadow'],
      text: `${refText(first.mapping.manifest.ref)} mirrors these requests already`,
    })
  const answering = normal.some(route => route.action.kind === 'forward')
  if (!answering) {
    report.refuse(first.mapping, {
      path: ['spec', 'shadow'],
      text: 'no other Mapping with the same match answers the requests it would mirror',
    })
    return []
  }
  return first.cluster === undefined ? [] : [{ cluster: first.cluster.name, percent: first.mapping.spec.weight ?? 100 }]
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
