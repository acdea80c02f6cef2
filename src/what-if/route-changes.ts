import { type PlacedRoute, placedRoutes } from '../ir/placed-routes.ts'
import type { RouteTable } from '../ir/route-table.ts'
import { refText } from '../model/object-ref.ts'
import { differingFields, plain } from './differing-fields.ts'

/** A route on both sides; undefined: it was, or is, not there. */
export interface RouteChange<Route> {
  readonly before: Route | undefined
  readonly after: Route | undefined
  /** What differs, such as `action.cluster` or `order`. */
  readonly fields: readonly string[]
}

/** What differs between the routes of two tables, by virtual host. A route is the same one while its domains, its match (but for its share) and its objects are. */
export function routeChanges(before: RouteTable, after: RouteTable): readonly RouteChange<PlacedRoute>[] {
  const [old, now] = [byIdentity(before), byIdentity(after)]
  const moved = movedBetween(
    [...old.keys()].filter(key => now.has(key)),
    [...now.keys()].filter(key => old.has(key)),
  )
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((key): readonly RouteChange<PlacedRoute>[] => {
    const [was, is] = [old.get(key), now.get(key)]
    if (was === undefined || is === undefined) return [{ before: was, after: is, fields: [] }]
    const fields = [...differingFields(contentOf(was), contentOf(is)), ...(moved.has(key) ? ['order'] : [])]
    return fields.length === 0 ? [] : [{ before: was, after: is, fields }]
  })
}

function contentOf({ route, listeners, upstream }: PlacedRoute): object {
  return { ...route, listeners, upstream }
}

/** In the order in which they are matched. */
function byIdentity(table: RouteTable): ReadonlyMap<string, PlacedRoute> {
  const found = new Map<string, PlacedRoute>()
  for (const one of placedRoutes(table)) {
    const { percent: _percent, percentOf: _percentOf, ...match } = one.route.match
    const base = plain([one.routeConfig, one.virtualHost, match, one.route.action.kind, one.route.origins.map(refText)])
    let key = base
    for (let copy = 1; found.has(key); copy++) key = `${base} ${copy}`
    found.set(key, one)
  }
  return found
}

/** Those that stand at another place among those that both sides have. */
function movedBetween(before: readonly string[], after: readonly string[]): ReadonlySet<string> {
  return new Set(after.filter((key, index) => before[index] !== key))
}
