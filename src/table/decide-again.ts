import { applyOverride } from './apply-override.ts'
import { decide } from './decide.ts'
import type { Evidence, PoolEndpoint } from './pool-view.ts'

/** The endpoint as a part of its evidence alone describes it, best first and not empty; what a pool or an operator said about it stays. */
export function decideAgain(endpoint: PoolEndpoint, evidence: readonly Evidence[]): PoolEndpoint {
  const { member, override, goneAt } = endpoint
  const decided = decide(evidence)
  if (member === undefined && override === undefined && goneAt === undefined) return decided
  const placed: PoolEndpoint = {
    ...decided,
    ...(member === undefined ? {} : { member }),
    ...(member?.share === 0 ? { excluded: true } : {}),
    ...(goneAt === undefined ? {} : { goneAt, health: 'draining' }),
  }
  return override === undefined ? Object.freeze(placed) : applyOverride(placed, override)
}
