import type { SourceStatus } from '../../discovery/status.ts'
import type { SourceBody } from '../schemas.ts'
import { isoTime, rounded } from './endpoint.ts'

/** A source as the API shows it. */
export function sourceBodyOf(status: SourceStatus): SourceBody {
  return {
    name: status.name,
    type: status.type,
    state: status.state,
    lastSuccess: isoTime(status.lastSuccess),
    ageSeconds: rounded(status.ageSeconds),
    error: status.error === undefined ? null : { ...status.error },
    notices: [...status.notices],
    services: status.services,
    endpoints: status.endpoints,
    held: status.held,
    holds: status.holds.map(hold => ({ ...hold })),
    restarts: status.restarts,
  }
}
