import type { SeenEndpoint } from '../table/ledger.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { IsthmusError } from '../model/errors.ts'
import { invalid } from './problem.ts'
import type { AdminReaders } from './readers.ts'

const units = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * A time of the past: ISO 8601, or how long ago (`15m`).
 * @throws IsthmusError `request-invalid`
 */
export function pastTime(text: string, parameter: string, now: number): number {
  const ago = /^(\d{1,9})([smhd])$/.exec(text)
  if (ago !== null) return now - Number(ago[1]) * units[ago[2] as keyof typeof units]
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(time))
    throw invalid(`query parameter "${parameter}" must be a time such as 2026-01-31T12:00:00Z or how long ago, such as 15m, not "${text}"`)
  if (time > now) throw invalid(`query parameter "${parameter}" is in the future: ${text}`)
  return time
}

/**
 * The endpoints of a service as they were.
 * @throws IsthmusError `request-invalid` for a time before the ledger begins, `service-unknown`
 */
export async function endpointsAt({ ledger, table }: AdminReaders, service: ServiceKey, time: number): Promise<readonly SeenEndpoint[]> {
  if (table.pool(service) === undefined && (await ledger.entries({ service, limit: 1 })).length === 0)
    throw new IsthmusError('service-unknown', `neither a source nor the ledger knows the service ${service}`)
  const state = await ledger.at(service, time)
  if (state === undefined)
    throw invalid(
      `the ledger reaches back to ${new Date((await ledger.extent()).since).toISOString()} only, not to ${new Date(time).toISOString()}; see ledger in the settings`,
    )
  return state
}
