import type { PoolEndpoint } from '../../table/reader.ts'

/** Reason of an endpoint that goes away and still serves; see plugins/kubernetes/condition.ts. */
const servingTerminating = 'serving-terminating'

/**
 * Whether none of these takes fresh requests by itself, so that those that go away but still serve must (reference/discovery.md 3.1 rule 3,
 * KEP-1669).
 */
export function needsLastResort(endpoints: readonly PoolEndpoint[]): boolean {
  let candidates = false
  for (const endpoint of endpoints) {
    if (endpoint.presence !== 'expired' && endpoint.health !== 'draining' && endpoint.health !== 'unhealthy') return false
    candidates ||= isLastResort(endpoint)
  }
  return candidates
}

/** Going away, but still serving, and nobody else (an operator, another registry, its own removal) wants it out. */
export function isLastResort({ health, presence, override, goneAt, evidence }: PoolEndpoint): boolean {
  if (health !== 'draining' || presence === 'expired' || override !== undefined || goneAt !== undefined) return false
  return evidence.some(isServing) && evidence.every(one => one.endpoint.health !== 'draining' || isServing(one))
}

function isServing({ endpoint }: PoolEndpoint['evidence'][number]): boolean {
  return endpoint.reasons.some(reason => reason.code === servingTerminating)
}
