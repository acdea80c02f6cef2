import type { SourceGuards } from '../model/pool-rule.ts'

export type GuardBounds = Required<SourceGuards>

/** Reference/discovery.md 5.3 to 5.6. */
const usual: GuardBounds = {
  enabled: true,
  emptyHoldSeconds: 30,
  shrinkPercent: 50,
  shrinkHoldSeconds: 900,
  sourceShrinkPercent: 20,
  maxStaleSeconds: 86_400,
  onStale: 'keep',
}

/** What the source's settings say, then the pool's, over the defaults. */
export function guardBounds(...said: readonly (SourceGuards | undefined)[]): GuardBounds {
  return Object.assign({}, usual, ...said) as GuardBounds
}
