import { invalid } from './problem.ts'

export interface PageQuery {
  readonly limit?: number
  readonly cursor?: string
  readonly sort?: string
}

export interface Page<Item> {
  readonly items: readonly Item[]
  /** For the next page; left out on the last. */
  readonly nextCursor?: string
  /** How many there are over all pages. */
  readonly total: number
}

type SortValue = string | number

/** By which keys a list may be sorted; the first is the default. `id` is unique and breaks ties. */
export interface ListOrder<Item> {
  readonly id: (item: Item) => string
  readonly keys: Readonly<Record<string, (item: Item) => SortValue>>
}

const defaultLimit = 1000
export const maxLimit = 10_000

/**
 * One page of a list. A cursor remembers the last item by its value and id, not by its place: items that come or go between two pages
 * neither repeat nor hide others.
 * @throws IsthmusError `request-invalid` for an unknown sort key or a cursor that is not ours
 */
export function page<Item>(items: readonly Item[], order: ListOrder<Item>, query: PageQuery): Page<Item> {
  const names = Object.keys(order.keys)
  const sort = query.sort ?? names[0] ?? ''
  const descending = sort.startsWith('-')
  const value = order.keys[descending ? sort.slice(1) : sort]
  if (value === undefined)
    throw invalid(`query parameter "sort" must be one of ${names.join(', ')}, with - in front for descending, not "${sort}"`)
  const direction = descending ? -1 : 1
  const compareTo = (item: Item, [otherValue, otherId]: readonly [SortValue, string]) =>
    direction * compare(value(item), otherValue) || compare(order.id(item), otherId)
  const sorted = [...items].sort((a, b) => compareTo(a, [value(b), order.id(b)]))
  const after = query.cursor === undefined ? undefined : readCursor(query.cursor, sort)
  const rest = after === undefined ? sorted : sorted.filter(item => compareTo(item, after) > 0)
  const limit = query.limit ?? defaultLimit
  const last = rest.length > limit ? rest[limit - 1] : undefined
  return {
    items: rest.slice(0, limit),
    ...(last === undefined ? {} : { nextCursor: makeCursor(sort, value(last), order.id(last)) }),
    total: items.length,
  }
}

function makeCursor(sort: string, value: SortValue, id: string): string {
  return Buffer.from(JSON.stringify([sort, value, id])).toString('base64url')
}

function readCursor(cursor: string, sort: string): readonly [SortValue, string] {
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    parts = undefined
  }
  if (!Array.isArray(parts) || parts.length !== 3) throw invalid('query parameter "cursor" is none that this API gave')
  const [madeFor, value, id] = parts as unknown[]
  if (madeFor !== sort) throw invalid('query parameter "cursor" belongs to another "sort"')
  if ((typeof value !== 'string' && typeof value !== 'number') || typeof id !== 'string')
    throw invalid('query parameter "cursor" is none that this API gave')
  return [value, id]
}

function compare(a: SortValue, b: SortValue): number {
  return a < b ? -1 : a > b ? 1 : 0
}
