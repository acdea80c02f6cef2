import type { PoolEndpoint, PoolView } from './pool-view.ts'

const known = new WeakMap<PoolView, readonly number[]>()

/** The levels of a pool that have an endpoint Envoy is told of, ascending: their places are the priorities. One level, 0, in an implicit pool. */
export function levelsOf(pool: PoolView): readonly number[] {
  if (pool.rule === undefined) return [0]
  let levels = known.get(pool)
  if (levels === undefined) {
    levels = [...new Set(pool.endpoints.filter(one => one.excluded !== true).map(levelOf))].sort((a, b) => a - b)
    known.set(pool, levels)
  }
  return levels
}

/** From 0, without gaps, lower is used first; of one that is left out, where it would be. */
export function priorityOf(pool: PoolView, endpoint: PoolEndpoint): number {
  const level = levelOf(endpoint)
  return levelsOf(pool).filter(other => other < level).length
}

function levelOf({ member }: PoolEndpoint): number {
  return member?.level ?? 0
}
