import type { OrderKey } from './mapping-route.ts'

/**
 * The order in which groups are matched: descending by precedence, length of the prefix, length of the header constraints, length of the
 * query constraints, prefix, method, header keys, query keys (emissary-resources.md 11). Regular expressions compete by pattern length.
 */
export function byRouteOrder(a: OrderKey, b: OrderKey): number {
  return (
    b.precedence - a.precedence ||
    b.prefixLength - a.prefixLength ||
    b.headerLength - a.headerLength ||
    b.queryLength - a.queryLength ||
    compare(b.prefix, a.prefix) ||
    compare(b.method, a.method) ||
    compareLists(b.headerKeys, a.headerKeys) ||
    compareLists(b.queryKeys, a.queryKeys)
  )
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compare(a[index] ?? '', b[index] ?? '')
    if (order !== 0) return order
  }
  return a.length - b.length
}
