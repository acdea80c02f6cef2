import type { IrMatch, IrRoute, IrValueMatch } from './route-table.ts'

/** So many conditions at most are looked at in every combination. */
const mostCombined = 4

/**
 * For each route of a virtual host, an earlier one that takes every request it could match, or undefined. Nothing is said wrongly, and not
 * everything is found: regular expressions are only compared where one matches any path. Its cost is in proportion to the routes, their
 * paths' lengths and their few conditions.
 */
export function coveringRoutes(routes: readonly IrRoute[]): readonly (IrRoute | undefined)[] {
  const taken = new Taken()
  return routes.map(route => {
    const covering = taken.find(route.match)
    if (covering === undefined && (route.match.percent ?? 100) === 100) taken.add(route)
    return covering
  })
}

/** What earlier routes match without exception, by path and then by conditions. */
class Taken {
  readonly #places = new Map<string, Map<string, IrRoute>>()

  add(route: IrRoute): void {
    const { path } = route.match
    const any = path.kind === 'regex' && (path.value === '.*' || path.value === '/.*')
    if (path.kind === 'regex' && !any) return
    const place = any ? placeOf('prefix', '/', true) : placeOf(path.kind, path.value, path.caseSensitive)
    const same = this.#places.get(place) ?? new Map<string, IrRoute>()
    this.#places.set(place, same)
    const conditions = conditionsOf(route.match).join('\n')
    if (!same.has(conditions)) same.set(conditions, route)
  }

  find(match: IrMatch): IrRoute | undefined {
    const wanted = combinations(conditionsOf(match))
    for (const place of placesAbove(match.path)) {
      const same = this.#places.get(place)
      if (same === undefined) continue
      for (const conditions of wanted) {
        const found = same.get(conditions)
        if (found !== undefined) return found
      }
    }
    return undefined
  }
}

function placeOf(kind: string, value: string, caseSensitive: boolean): string {
  return caseSensitive ? `${kind} ${value}` : `${kind} insensitive ${value.toLowerCase()}`
}

/** Where routes would stand that match whatever this path matches. */
function* placesAbove({ kind, value, caseSensitive }: IrMatch['path']): Generator<string> {
  if (kind === 'regex') {
    // Every path begins so.
    yield placeOf('prefix', '/', true)
    return
  }
  const both = function* (of: string, text: string): Generator<string> {
    yield placeOf(of, text, false)
    // In a text without letters case says nothing.
    if (caseSensitive || text.toLowerCase() === text.toUpperCase()) yield placeOf(of, text, true)
  }
  for (let length = 0; length <= value.length; length++) {
    const start = value.slice(0, length)
    yield* both('prefix', start)
    const ends = length === value.length ? kind !== 'prefix' : value[length] === '/'
    if (ends) yield* both('segments', start)
  }
  if (kind === 'exact') yield* both('exact', value)
}

function conditionsOf({ headers, query }: IrMatch): readonly string[] {
  const text = (of: string, { name, kind, value, invert = false }: IrValueMatch) => JSON.stringify([of, name, kind, value, invert])
  return [...headers.map(one => text('header', one)), ...query.map(one => text('query', one))].sort()
}

/** The sets of conditions that are fulfilled when all of these are, as `add` writes them. */
function combinations(conditions: readonly string[]): readonly string[] {
  if (conditions.length > mostCombined) return ['', ...conditions, conditions.join('\n')]
  return Array.from({ length: 2 ** conditions.length }, (_, bits) => conditions.filter((_, at) => (bits >> at) % 2 === 1).join('\n'))
}
