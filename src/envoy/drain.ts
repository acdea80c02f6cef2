import type { Clock } from '../discovery/contract.ts'
import { readyStatPrefix } from './bootstrap.ts'

export interface DrainGiven {
  /** A call of Envoy's admin page; gives the body, throws when there is none. */
  readonly admin: (method: 'GET' | 'POST', path: string) => Promise<string>
  readonly clock: Clock
  /** The longest it may take. */
  readonly seconds: number
  /** It is over when no connection is open and none was new for this long: as long as load balancers need to see that it is not ready. */
  readonly quietSeconds: number
  /** Aborts when Envoy is gone. */
  readonly gone: AbortSignal
}

const pollMs = 250
const own = ['listener.admin.', `listener.${readyStatPrefix}.`]

/**
 * Takes the traffic off an Envoy that still serves (experience.md 2.5): its `/ready` fails, so that load balancers turn away, and each
 * answer ends its connection, while new connections are still taken, until nobody comes any more or the time is up.
 * Throws when the admin page does not answer.
 */
export async function drain({ admin, clock, seconds, quietSeconds, gone }: DrainGiven): Promise<void> {
  const end = clock.now() + seconds * 1000
  await admin('POST', '/healthcheck/fail')
  await admin('POST', '/drain_listeners?graceful')
  let total = -1
  let quietSince = 0
  while (!gone.aborted && clock.now() < end) {
    const seen = connections(await admin('GET', '/stats?format=json&filter=downstream_cx_(active|total)$'))
    if (seen.active > 0 || seen.total !== total) quietSince = clock.now()
    else if (clock.now() - quietSince >= quietSeconds * 1000) return
    total = seen.total
    await clock.sleep(pollMs, gone)
  }
}

/** Connections over all listeners: open now, and ever. */
export function connections(statsJson: string): { readonly active: number; readonly total: number } {
  const { stats } = JSON.parse(statsJson) as { readonly stats: readonly { readonly name?: string; readonly value?: unknown }[] }
  const sum = { active: 0, total: 0 }
  for (const { name = '', value } of stats) {
    // The admin page counts our polling, that of /ready those of load balancers; workers' figures repeat the listener's.
    if (!name.startsWith('listener.') || name.includes('.worker_') || own.some(prefix => name.startsWith(prefix))) continue
    if (typeof value !== 'number') continue
    if (name.endsWith('.downstream_cx_active')) sum.active += value
    else if (name.endsWith('.downstream_cx_total')) sum.total += value
  }
  return sum
}
