import type { SourceStatus } from '../../discovery/status.ts'
import { type PoolEndpoint, type PoolView, priorityOf } from '../../table/reader.ts'
import type { EndpointBody } from '../schemas.ts'

/**
 * Whether Envoy is told to send requests there. All endpoints are published, with their state (reference/discovery.md 1.5): healthy and
 * unknown ones take requests, degraded ones when the others run short; draining, unhealthy and expired ones take none.
 */
export function isServed({ health, presence, excluded }: Pick<PoolEndpoint, 'health' | 'presence' | 'excluded'>): boolean {
  return excluded !== true && presence !== 'expired' && health !== 'draining' && health !== 'unhealthy'
}

/** An endpoint as the API shows it (interface.md). `ages`: seconds since each source's last successful read. */
export function endpointBodyOf(pool: PoolView, endpoint: PoolEndpoint, ages: ReadonlyMap<string, number | undefined>): EndpointBody {
  const { winner } = endpoint
  const { portName, id, locality, tags, meta } = winner.endpoint
  return {
    service: pool.service,
    address: endpoint.address,
    ...(endpoint.additionalAddresses.length === 0 ? {} : { additionalAddresses: [...endpoint.additionalAddresses] }),
    port: endpoint.port,
    portName,
    protocol: endpoint.protocol,
    source: winner.source,
    sourceKind: winner.sourceType,
    id,
    health: endpoint.health,
    presence: endpoint.presence,
    freshnessSeconds: rounded(ages.get(winner.source)),
    weight: endpoint.weight,
    priority: priorityOf(pool, endpoint),
    ...(endpoint.member === undefined ? {} : { member: endpoint.member.name }),
    locality: { ...locality },
    tags: [...tags],
    meta: { ...meta },
    served: isServed(endpoint),
    evidence: endpoint.evidence.map(one => ({
      source: one.source,
      sourceKind: one.sourceType,
      group: one.group,
      id: one.endpoint.id,
      portName: one.endpoint.portName,
      health: one.endpoint.health,
      presence: one.endpoint.presence,
      weight: one.endpoint.weight,
      reasons: [...one.endpoint.reasons],
    })),
    reasons: [...endpoint.reasons],
  }
}

/** Seconds since the last successful read, by source. */
export function sourceAges(statuses: readonly SourceStatus[]): ReadonlyMap<string, number | undefined> {
  return new Map(statuses.map(status => [status.name, status.ageSeconds]))
}

/** To the millisecond; null for nothing. */
export function rounded(seconds: number | undefined): number | null {
  return seconds === undefined ? null : Math.round(seconds * 1000) / 1000
}

/** ISO 8601, or null for never. */
export function isoTime(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}

/** `10.0.0.1:80`, `[2001:db8::1]:80`. */
export function addressText({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`
}
