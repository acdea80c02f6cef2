import type { Override } from '../model/override.ts'
import type { Reason } from '../model/reason.ts'
import type { PoolEndpoint } from './pool-view.ts'

/**
 * What an endpoint is once an operator's decision is applied to what the sources say (reference/discovery.md 5.9): it goes above all of
 * them, except that a pin does not bring back what every source says is gone.
 */
export function applyOverride(endpoint: PoolEndpoint, override: Override): PoolEndpoint {
  const common = { ...endpoint, override, reasons: [...endpoint.reasons, reasonOf(override)] }
  switch (override.action) {
    case 'drain':
      return { ...common, health: 'draining' }
    case 'exclude':
      return { ...common, excluded: true }
    case 'weight':
      return { ...common, weight: Math.max(1, Math.round(override.value ?? endpoint.weight)) }
    case 'pin':
      return { ...common, health: 'healthy', presence: 'live' }
  }
}

const words = { drain: 'drained', exclude: 'excluded', weight: 'given a weight', pin: 'pinned' } as const

function reasonOf({ action, actor, reason, expiresAt, value }: Override): Reason {
  const what = action === 'weight' ? `given weight ${String(value)}` : words[action]
  const until = expiresAt === undefined ? 'until it is taken back' : `until ${new Date(expiresAt).toISOString()}`
  return { code: `override-${action}`, text: `${what} by ${actor} ${until}: ${reason}` }
}
