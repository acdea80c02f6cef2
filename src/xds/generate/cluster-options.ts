import { isIP } from 'node:net'
import type { IrAddedHeader, IrCircuitBreaker, IrClusterOptions, IrHealthCheck, IrOrigination } from '../../ir/cluster-options.ts'
import { any, duration, type PlainMessage } from '../codec.ts'
import type { ResourceKey } from '../resource.ts'
import { commonTls } from './common-tls.ts'
import { headerKeyFormat } from './http-options.ts'
import { sdsConfig, secretKey } from './secret.ts'

const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** The fields of a Cluster that its options ask for. */
export function optionFields(options: IrClusterOptions, http2: boolean): PlainMessage {
  const { tls, circuitBreakers, outlierDetection, healthChecks, keepalive } = options
  return {
    ...protocolOptions(http2, options),
    ...(tls === undefined ? {} : { transportSocket: upstreamTls(tls) }),
    ...(circuitBreakers === undefined ? {} : { circuitBreakers: { thresholds: circuitBreakers.map(threshold) } }),
    ...(outlierDetection === undefined ? {} : { outlierDetection: outliers(outlierDetection) }),
    ...(healthChecks === undefined ? {} : { healthChecks: healthChecks.map(healthCheck) }),
    ...(keepalive === undefined ? {} : { upstreamConnectionOptions: { tcpKeepalive: tcpKeepalive(keepalive) } }),
  }
}

/** The protocol to the upstream, and how long its connections live. */
export function protocolOptions(
  http2: boolean,
  { idleTimeoutMs, maxLifetimeMs, headerCase, tls }: Pick<IrClusterOptions, 'idleTimeoutMs' | 'maxLifetimeMs' | 'headerCase' | 'tls'> = {},
): PlainMessage {
  // The upstream chooses in the handshake: what only offers h2 must be able to speak it.
  const chosen = !http2 && tls?.alpn.includes('h2') === true
  if (!http2 && !chosen && idleTimeoutMs === undefined && maxLifetimeMs === undefined && headerCase === undefined) return {}
  const common = {
    ...(idleTimeoutMs === undefined ? {} : { idleTimeout: duration(idleTimeoutMs) }),
    ...(maxLifetimeMs === undefined ? {} : { maxConnectionDuration: duration(maxLifetimeMs) }),
  }
  const http1 = headerCase === undefined ? {} : { headerKeyFormat: headerKeyFormat(headerCase) }
  const protocol = chosen
    ? { autoConfig: { httpProtocolOptions: http1, http2ProtocolOptions: {} } }
    : { explicitHttpConfig: http2 ? { http2ProtocolOptions: {} } : { httpProtocolOptions: http1 } }
  const message = { ...protocol, ...(Object.keys(common).length === 0 ? {} : { commonHttpProtocolOptions: common }) }
  return { typedExtensionProtocolOptions: { [httpOptions]: any(httpOptions, message) } }
}

/** The secrets that a cluster must have. */
export function optionSecrets({ tls }: IrClusterOptions): readonly ResourceKey[] {
  return [tls?.certificate, tls?.validation].filter(name => name !== undefined).map(secretKey)
}

/** The transport socket that begins TLS. */
export function upstreamTls(tls: IrOrigination): PlainMessage {
  const { sni, certificate, validation, subjects } = tls
  const context = {
    ...commonTls(tls),
    ...(certificate === undefined ? {} : { tlsCertificateSdsSecretConfigs: [sdsConfig(certificate)] }),
    ...(validation === undefined ? {} : trust(validation, subjects)),
  }
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: any('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
      ...(sni === undefined ? {} : { sni }),
      commonTlsContext: context,
    }),
  }
}

function trust(validation: string, subjects: readonly string[]): PlainMessage {
  if (subjects.length === 0) return { validationContextSdsSecretConfig: sdsConfig(validation) }
  const names = subjects.map(subject => ({ sanType: sanType(subject), matcher: { exact: subject } }))
  return {
    combinedValidationContext: {
      defaultValidationContext: { matchTypedSubjectAltNames: names },
      validationContextSdsSecretConfig: sdsConfig(validation),
    },
  }
}

function sanType(subject: string): string {
  if (subject.includes('://')) return 'URI'
  return isIP(subject) === 0 ? 'DNS' : 'IP_ADDRESS'
}

function threshold({ priority, maxConnections, maxPendingRequests, maxRequests, maxRetries }: IrCircuitBreaker): PlainMessage {
  const bounds = Object.entries({ maxConnections, maxPendingRequests, maxRequests, maxRetries }).filter(([, value]) => value !== undefined)
  return {
    priority: priority === 'high' ? 'HIGH' : 'DEFAULT',
    ...Object.fromEntries(bounds.map(([name, value]): [string, unknown] => [name, { value }])),
  }
}

const times = new Set(['interval', 'base_ejection_time', 'max_ejection_time', 'max_ejection_time_jitter'])

/** Envoy's own names in our spelling: `consecutive_5xx` is `consecutive_5xx`, the others are in camel case. */
function outliers(given: NonNullable<IrClusterOptions['outlierDetection']>): PlainMessage {
  const fields = Object.entries(given).map(([name, value]): [string, unknown] => {
    const field = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    if (typeof value === 'boolean') return [field, value]
    return [field, times.has(name) ? duration(value) : { value }]
  })
  return Object.fromEntries(fields)
}

export function healthCheck({ timeoutMs, intervalMs, unhealthyThreshold, healthyThreshold, probe }: IrHealthCheck): PlainMessage {
  const http =
    probe.kind === 'http'
      ? {
          path: probe.path,
          ...(probe.hostname === undefined ? {} : { host: probe.hostname }),
          requestHeadersToAdd: probe.addHeaders.map(headerToAdd),
          requestHeadersToRemove: probe.removeHeaders,
          // Envoy's end is not included.
          expectedStatuses: probe.statuses.map(({ min, max }) => ({ start: min, end: max + 1 })),
        }
      : undefined
  const grpc = probe.kind === 'grpc' ? { serviceName: probe.service, authority: probe.authority } : undefined
  return {
    timeout: duration(timeoutMs),
    interval: duration(intervalMs),
    // In Envoy's default a cluster that had no request yet is looked at once a minute, and an ill endpoint gets its first ones.
    noTrafficInterval: duration(intervalMs),
    unhealthyThreshold: { value: unhealthyThreshold },
    healthyThreshold: { value: healthyThreshold },
    ...(http === undefined ? {} : { httpHealthCheck: http }),
    ...(grpc === undefined ? {} : { grpcHealthCheck: grpc }),
  }
}

/** A HeaderValueOption. */
export function headerToAdd({ name, value, append }: IrAddedHeader): PlainMessage {
  return {
    header: { key: name, value },
    appendAction: append ? 'APPEND_IF_EXISTS_OR_ADD' : 'OVERWRITE_IF_EXISTS_OR_ADD',
    keepEmptyValue: true,
  }
}

function tcpKeepalive({ probes, idleSeconds, intervalSeconds }: NonNullable<IrClusterOptions['keepalive']>): PlainMessage {
  const fields = { keepaliveProbes: probes, keepaliveTime: idleSeconds, keepaliveInterval: intervalSeconds }
  return Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, { value }]])))
}
