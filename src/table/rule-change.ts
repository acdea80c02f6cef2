import { isDeepStrictEqual } from 'node:util'
import type { PoolMember, PoolRule } from '../model/pool-rule.ts'

/** What differs between two rules of a service, in a sentence; empty where nothing does. Undefined: the service had, or has, no rule. */
export function ruleChange(before: PoolRule | undefined, after: PoolRule | undefined): string {
  if (before === after || (before === undefined && after === undefined)) return ''
  if (before === undefined) return `ServicePool made: mode ${after?.mode ?? ''}, members ${(after?.members ?? []).map(textOf).join(', ')}`
  if (after === undefined) return 'ServicePool taken away'
  const old = new Map(before.members.map(member => [member.name, member]))
  const now = new Set(after.members.map(({ name }) => name))
  const parts = [
    ...changed('mode', before.mode, after.mode),
    ...before.members.filter(({ name }) => !now.has(name)).map(({ name }) => `member ${name} removed`),
    ...after.members.flatMap(member => {
      const former = old.get(member.name)
      return former === undefined ? [`member ${textOf(member)} added`] : memberChange(former, member)
    }),
    ...changed('drainSeconds', before.drainSeconds, after.drainSeconds),
    ...changed('guards', before.guards, after.guards),
  ]
  return parts.length === 0 ? '' : `ServicePool: ${parts.join(', ')}`
}

function memberChange(before: PoolMember, after: PoolMember): readonly string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])] as (keyof PoolMember)[]
  return keys.flatMap(key => changed(`member ${after.name} ${key}`, before[key], after[key]))
}

function changed(what: string, before: unknown, after: unknown): readonly string[] {
  return isDeepStrictEqual(before, after) ? [] : [`${what} ${valueText(before)} → ${valueText(after)}`]
}

function valueText(value: unknown): string {
  return value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value)
}

function textOf({ name, share }: PoolMember): string {
  return share === undefined ? name : `${name} ${String(share)} %`
}
