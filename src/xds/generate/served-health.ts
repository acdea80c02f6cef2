import type { Health } from '../../model/health.ts'
import { isHeld } from '../../model/held.ts'
import type { PoolEndpoint } from '../../table/reader.ts'

/**
 * The health an endpoint goes out with. Nobody vouches for an expired instance any more. A suspect one keeps what was last known of it,
 * except that one which only we hold on to comes after the live ones, unless the cluster finds the dead ones out by itself
 * (reference/discovery.md 5.5).
 * @param probed whether the cluster does
 */
export function servedHealth({ health, presence, reasons }: PoolEndpoint, probed: boolean): Health {
  if (presence === 'live') return health
  if (presence === 'expired') return 'unhealthy'
  return !probed && (health === 'healthy' || health === 'unknown') && isHeld({ presence, reasons }) ? 'degraded' : health
}
