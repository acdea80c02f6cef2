import { type CheckPolicy, checkHealth } from '../model/check-health.ts'
import type { PoolMember } from '../model/pool-rule.ts'
import type { Reason } from '../model/reason.ts'
import type { PoolEndpoint } from './pool-view.ts'

/** An endpoint as a member of a pool: judged by the member's health policy, and left out where the member gets no requests. */
export function placeIn(member: PoolMember, decided: PoolEndpoint): PoolEndpoint {
  const judged = member.health === undefined ? decided : judge(decided, member.health)
  if (member.share !== 0) return { ...judged, member }
  const reason: Reason = { code: 'member-share-zero', text: `its member ${member.name} gets 0 percent of the requests` }
  return { ...judged, member, excluded: true, reasons: [...judged.reasons, reason] }
}

/** Reasons of a source that say what its checks come to. */
const ofChecks = new Set([
  'check-critical',
  'serf-critical',
  'node-check-critical',
  'check-tolerated',
  'check-unknown',
  'check-warning',
  'no-checks',
])

/** Draining is for nobody to judge otherwise, nor is an instance whose registry gives it no weight. */
function judge(decided: PoolEndpoint, policy: CheckPolicy): PoolEndpoint {
  const { endpoint } = decided.winner
  if (endpoint.checks === undefined || decided.health === 'draining' || endpoint.reasons.some(one => one.code === 'weight-zero'))
    return decided
  const verdict = checkHealth(endpoint.checks.list, { ...endpoint.checks.policy, ...policy })
  if (verdict.health === decided.health && verdict.presence === decided.presence) return decided
  const own = endpoint.reasons.filter(one => ofChecks.has(one.code))
  const rest = decided.reasons.filter(one => !own.includes(one))
  const reason: Reason = {
    code: 'pool-health',
    text: `by the health policy of the pool it is ${verdict.health}; its source says ${endpoint.health}`,
  }
  // A presence that a guard or a lost lease lowered stays lowered: it is not about checks.
  const presence = endpoint.presence === 'suspect' && own.some(one => one.code === 'serf-critical') ? verdict.presence : decided.presence
  return { ...decided, health: verdict.health, presence, reasons: [...rest, ...verdict.reasons, reason] }
}
