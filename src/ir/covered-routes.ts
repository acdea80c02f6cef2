import { finish, type Steps } from '../model/steps.ts'
import type { IrMatch, IrRoute, IrValueMatch } from './route-table.ts'

/** So many conditions at most are looked at in every combination. */
const mostCombined = 4
/** Routes of one step: well below a millisecond. */
const perStep = 32

/**
 * For each route of a virtual host, an earlier one that takes every request it could match, or undefined. Nothing is said wrongly, and not
 * everything is found: regular expressions are only compared where one matches any path. Its cost is in proportion to the routes, their
 * paths' lengths and their few conditions.
 */
export function coveringRoutes(routes: readonly IrRoute[]): readonly (IrRoute | undefined)[] {
  return finish(coveringSteps(routes))
}

/** Of lists that are still in use: routes never change, and those of most virtual hosts stay the same lists for long. */
const known = new WeakMap<readonly IrRoute[], readonly (IrRoute | undefined)[]>()

/** The same, cut into steps: a virtual host may have all the routes there are. */
export function* coveringSteps(routes: readonly IrRoute[]): Steps<readonly (IrRoute | undefined)[]> {
  const found = known.get(routes) ?? (yield* findCovering(routes))
  known.set(routes, found)
  return found
}

function* findCovering(routes: readonly IrRoute[]): Steps<readonly (IrRoute | undefined)[]> {
  const taken = new Taken()
  const found: (IrRoute | undefined)[] = []
  for (const [index, route] of routes.entries()) {
    if (index % perStep === perStep - 1) yield
    const covering = taken.find(route.match)
    if (covering === undefined && (route.match.percent ?? 100) === 100) taken.add(route)
    found.push(covering)
  }
  return found
}

type PathKind = 'prefix' | 'segments' | 'exact'

/** What earlier routes match without exception: by form and case, then length and text of the path, then conditions. */
class Taken {
  readonly #places = new Map<string, Map<number, Map<string, Map<string, IrRoute>>>>()

  add(route: IrRoute): void {
    const { path } = route.match
    const any = path.kind === 'regex' && (path.value === '.*' || path.value === '/.*')
    if (path.kind === 'regex' && !any) return
    const text = any ? '/' : path.caseSensitive ? path.value : path.value.toLowerCase()
    const form = formOf(path.kind === 'regex' ? 'prefix' : path.kind, any || path.caseSensitive)
    const byLength = entry(this.#places, form, () => new Map<number, Map<string, Map<string, IrRoute>>>())
    const byText = entry(byLength, text.length, () => new Map<string, Map<string, IrRoute>>())
    const same = entry(byText, text, () => new Map<string, IrRoute>())
    const conditions = conditionsOf(route.match).join('\n')
    if (!same.has(conditions)) same.set(conditions, route)
  }

  find(match: IrMatch): IrRoute | undefined {
    const { path } = match
    let wanted: readonly string[] | undefined
    for (const caseSensitive of [true, false]) {
      // Every path begins with a slash, one that a regular expression matches, too.
      const whole = path.kind === 'regex' ? '/' : caseSensitive ? path.value : path.value.toLowerCase()
      for (const kind of ['prefix', 'segments', 'exact'] as const)
        for (const [length, byText] of this.#places.get(formOf(kind, caseSensitive)) ?? []) {
          if (!startCovers(kind, length, whole, path.kind)) continue
          const start = whole.slice(0, length)
          const same = byText.get(start)
          // In a text without letters case says nothing.
          if (same === undefined || (caseSensitive && !path.caseSensitive && start.toLowerCase() !== start.toUpperCase())) continue
          wanted ??= combinations(conditionsOf(match))
          for (const conditions of wanted) {
            const found = same.get(conditions)
            if (found !== undefined) return found
          }
        }
    }
    return undefined
  }
}

/** Whether a path of the first form, which is the start of the second one of that length, matches all that the second one does. */
function startCovers(kind: PathKind, length: number, whole: string, of: IrMatch['path']['kind']): boolean {
  if (length > whole.length) return false
  if (kind === 'prefix') return true
  if (kind === 'exact') return of === 'exact' && length === whole.length
  return length === whole.length ? of === 'exact' || of === 'segments' : whole[length] === '/'
}

function formOf(kind: PathKind, caseSensitive: boolean): string {
  return caseSensitive ? kind : `${kind} insensitive`
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
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
