import { createHash } from 'node:crypto'
import type { IrAddedHeader, IrClusterOptions, IrHealthCheck } from '../../ir/cluster-options.ts'
import type { IrHeaderCase } from '../../ir/http-options.ts'
import { durationMs } from '../../manifests/check-values.ts'
import { readOutlierDetection } from '../../manifests/outlier-detection.ts'
import type { MappingSpec } from '../../manifests/schema/mapping.ts'
import { withoutUndefined } from './without-undefined.ts'

/** The fields of an object that say how its cluster behaves; Mapping has all of them (emissary-resources.md 1.2). */
export type ClusterFields = Pick<
  MappingSpec,
  | 'circuit_breakers'
  | 'outlier_detection'
  | 'health_checks'
  | 'keepalive'
  | 'cluster_idle_timeout_ms'
  | 'cluster_max_connection_lifetime_ms'
  | 'dns_type'
  | 'respect_dns_ttl'
  | 'enable_ipv4'
  | 'enable_ipv6'
>

type Tls = IrClusterOptions['tls']

/** Reads them, all of which were checked; undefined when nothing is asked for. */
export function clusterOptions(
  fields: ClusterFields,
  kind: 'eds' | 'strict_dns' | 'static',
  tls: Tls,
  headerCase?: IrHeaderCase,
): IrClusterOptions | undefined {
  const outliers = fields.outlier_detection === undefined ? undefined : readOutlierDetection(fields.outlier_detection)
  const { keepalive } = fields
  const options: IrClusterOptions = {
    ...(tls === undefined ? {} : { tls }),
    ...(fields.circuit_breakers === undefined ? {} : { circuitBreakers: fields.circuit_breakers.map(circuitBreaker) }),
    ...(outliers === undefined || typeof outliers === 'string' ? {} : { outlierDetection: outliers }),
    ...(fields.health_checks === undefined ? {} : { healthChecks: fields.health_checks.flatMap(healthCheck) }),
    ...(keepalive === undefined
      ? {}
      : {
          keepalive: withoutUndefined({ probes: keepalive.probes, idleSeconds: keepalive.idle_time, intervalSeconds: keepalive.interval }),
        }),
    ...withoutUndefined({
      idleTimeoutMs: fields.cluster_idle_timeout_ms,
      maxLifetimeMs: fields.cluster_max_connection_lifetime_ms,
      dns: kind === 'strict_dns' ? dns(fields) : undefined,
      headerCase,
    }),
  }
  return Object.keys(options).length === 0 ? undefined : options
}

/** A short name of options: clusters with equal options are one, and an edit makes a new one beside the old one. */
export function optionsMark(options: IrClusterOptions): string {
  return createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 8)
}

/** Options that an upstream of this kind cannot have, as sentences. */
export function optionNotices(fields: ClusterFields, kind: 'eds' | 'strict_dns' | 'static'): readonly string[] {
  if (kind === 'strict_dns') return []
  const names = (['dns_type', 'respect_dns_ttl', 'enable_ipv4', 'enable_ipv6'] as const).filter(name => fields[name] !== undefined)
  return names.map(name => `spec.${name} has no effect: the upstream is not resolved by DNS`)
}

function dns({ dns_type, respect_dns_ttl, enable_ipv4, enable_ipv6 }: ClusterFields): IrClusterOptions['dns'] {
  if (dns_type === undefined && respect_dns_ttl === undefined && enable_ipv4 === undefined && enable_ipv6 === undefined) return undefined
  const [v4, v6] = [enable_ipv4 ?? true, enable_ipv6 ?? false]
  const family = v4 && v6 ? 'both' : v6 ? 'v6' : enable_ipv4 === undefined && enable_ipv6 === undefined ? 'v4-preferred' : 'v4'
  return { logical: dns_type === 'logical_dns', respectTtl: respect_dns_ttl ?? false, family }
}

function circuitBreaker(
  given: NonNullable<ClusterFields['circuit_breakers']>[number],
): NonNullable<IrClusterOptions['circuitBreakers']>[number] {
  return {
    priority: given.priority ?? 'default',
    ...withoutUndefined({
      maxConnections: given.max_connections,
      maxPendingRequests: given.max_pending_requests,
      maxRequests: given.max_requests,
      maxRetries: given.max_retries,
    }),
  }
}

/** Defaults: every 5 s, within 3 s, out after 2 failures, back after 1 success (emissary-resources.md 1.2). */
export function healthCheck(given: NonNullable<ClusterFields['health_checks']>[number]): readonly IrHealthCheck[] {
  const { http, grpc } = given.health_check
  const common = {
    timeoutMs: given.timeout === undefined ? 3_000 : durationMs(given.timeout),
    intervalMs: given.interval === undefined ? 5_000 : durationMs(given.interval),
    unhealthyThreshold: given.unhealthy_threshold ?? 2,
    healthyThreshold: given.healthy_threshold ?? 1,
  }
  if (http !== undefined) {
    const probe = {
      kind: 'http',
      path: http.path,
      hostname: http.hostname,
      addHeaders: addedHeaders(http.add_request_headers),
      removeHeaders: http.remove_request_headers ?? [],
      statuses: http.expected_statuses ?? [],
    } as const
    return [{ ...common, probe }]
  }
  if (grpc === undefined) return []
  return [{ ...common, probe: { kind: 'grpc', service: grpc.upstream_name, authority: grpc.authority ?? grpc.upstream_name } }]
}

/** Headers to add, sorted by name; beside those that are there unless `append: false`. */
export function addedHeaders(given: Readonly<Record<string, { value?: string; append?: boolean }>> | undefined): readonly IrAddedHeader[] {
  return Object.entries(given ?? {})
    .map(([name, { value, append }]) => ({ name: name.toLowerCase(), value: value ?? '', append: append ?? true }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
