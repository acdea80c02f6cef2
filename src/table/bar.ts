import type { Reason } from '../model/reason.ts'
import type { PoolEndpoint } from './pool-view.ts'

/** The endpoint, left out for a reason. */
export function bar(endpoint: PoolEndpoint, barred: Reason): PoolEndpoint {
  return { ...endpoint, barred, excluded: true, reasons: [...endpoint.reasons, barred] }
}
