import type { PoolMode } from '../../model/pool-rule.ts'

interface Written {
  readonly weight?: number | undefined
  readonly priority?: number | undefined
}

/**
 * The level of each member: all 0 in a union; as written in `priority` and `weighted`, by place where no member of a `priority` pool has one;
 * one each in `failover`, in the order of what is written, then of place. Levels may have gaps: the published ones are made contiguous.
 */
export function memberLevels(mode: PoolMode, members: readonly Written[]): readonly number[] {
  switch (mode) {
    case 'union':
      return members.map(() => 0)
    case 'weighted':
      return members.map(member => member.priority ?? 0)
    case 'priority':
      return members.every(member => member.priority === undefined)
        ? members.map((_member, index) => index)
        : members.map(member => member.priority ?? 0)
    case 'failover': {
      const order = members.map((member, index) => ({ index, priority: member.priority ?? 0 }))
      order.sort((a, b) => a.priority - b.priority || a.index - b.index)
      return members.map((_member, index) => order.findIndex(one => one.index === index))
    }
  }
}

/** Percent of each member within its level; members without a weight share what the others of their level leave. */
export function memberShares(mode: PoolMode, members: readonly Written[], levels: readonly number[]): readonly (number | undefined)[] {
  if (mode !== 'weighted') return members.map(() => undefined)
  return members.map((member, index) => {
    if (member.weight !== undefined) return member.weight
    const level = members.map((one, at) => ({ one, at })).filter(({ at }) => levels[at] === levels[index])
    const left = 100 - level.reduce((total, { one }) => total + (one.weight ?? 0), 0)
    const open = level.filter(({ one }) => one.weight === undefined)
    const place = open.findIndex(({ at }) => at === index)
    // Rounding the running total keeps the sum exact: three members get 33, 34, 33.
    return Math.round((left * (place + 1)) / open.length) - Math.round((left * place) / open.length)
  })
}
