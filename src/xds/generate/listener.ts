import type { IrHttpOptions } from '../../ir/http-options.ts'
import type { IrHttpServices } from '../../ir/http-services.ts'
import type { IrChain, IrListener, IrTcp, IrTermination } from '../../ir/route-table.ts'
import { any, duration, encodeMessage, type PlainMessage } from '../codec.ts'
import { keyText, makeResource, type Resource, type ResourceKey } from '../resource.ts'
import { downstreamTls, quicTls, secretsOf } from './downstream-tls.ts'
import { httpFilters, serviceClusters } from './http-filters.ts'
import { managerOptions } from './http-options.ts'
import { accessLog, ownAccessLog, tracing } from './observation.ts'

const filters = 'envoy.extensions.filters'

/** The Listener of one port, which takes its routes by RDS and its certificates by SDS: a change of them must not drain connections. */
export function generateListener(listener: IrListener, http: IrHttpServices): Resource {
  const message = {
    name: listener.name,
    address: {
      socketAddress: {
        ...(listener.quic === true ? { protocol: 'UDP' } : {}),
        address: listener.address,
        portValue: listener.port,
        // Without it, an address of all IPv6 interfaces would refuse IPv4 clients.
        ...(listener.address === '::' ? { ipv4Compat: true } : {}),
      },
    },
    ...(http.options.bufferLimitBytes === undefined ? {} : { perConnectionBufferLimitBytes: { value: http.options.bufferLimitBytes } }),
    ...(listener.quic === true
      ? { udpListenerConfig: { quicOptions: {}, downstreamSocketConfig: {} } }
      : { listenerFilters: listenerFilters(listener) }),
    filterChains: listener.chains.map(chain => filterChain(chain, listener, http)),
  }
  return makeResource('listener', listener.name, encodeMessage('envoy.config.listener.v3.Listener', message), requirements(listener, http))
}

function requirements({ chains }: IrListener, http: IrHttpServices): readonly ResourceKey[] {
  const keys = [
    ...chains.flatMap(({ serve }) => served(serve)),
    ...chains.flatMap(({ tls }) => (tls === undefined ? [] : secretsOf(tls))),
    ...serviceClusters(http).map((name): ResourceKey => ({ type: 'cluster', name })),
  ]
  return [...new Map(keys.map(key => [keyText(key), key])).values()]
}

/** PROXY comes before TLS in every connection, whatever order was written (emissary-resources.md 4). */
function listenerFilters({ proxyProtocol, chains }: IrListener): readonly PlainMessage[] {
  const proxy = any(`${filters}.listener.proxy_protocol.v3.ProxyProtocol`, {
    ...(proxyProtocol === 'optional' ? { allowRequestsWithoutProxyProtocol: true } : {}),
  })
  const inspector = any(`${filters}.listener.tls_inspector.v3.TlsInspector`, {})
  return [
    ...(proxyProtocol !== undefined ? [{ name: 'envoy.filters.listener.proxy_protocol', typedConfig: proxy }] : []),
    ...(chains.some(({ tls }) => tls !== undefined) ? [{ name: 'envoy.filters.listener.tls_inspector', typedConfig: inspector }] : []),
  ]
}

function filterChain(chain: IrChain, listener: IrListener, http: IrHttpServices): PlainMessage {
  const { name, serverNames, tls } = chain
  return {
    name,
    ...(tls === undefined ? {} : secured(serverNames, tls, listener.quic === true)),
    filters: [
      chain.serve.kind === 'tcp'
        ? {
            name: 'envoy.filters.network.tcp_proxy',
            typedConfig: any(`${filters}.network.tcp_proxy.v3.TcpProxy`, tcpProxy(chain.serve, http)),
          }
        : {
            name: 'envoy.filters.network.http_connection_manager',
            typedConfig: any(
              `${filters}.network.http_connection_manager.v3.HttpConnectionManager`,
              connectionManager(listener, chain.serve.routeConfig, http),
            ),
          },
    ],
  }
}

function secured(serverNames: readonly string[], tls: IrTermination, quic: boolean): PlainMessage {
  if (quic) return { filterChainMatch: { serverNames }, transportSocket: quicTls(tls) }
  return { filterChainMatch: { serverNames, transportProtocol: 'tls' }, transportSocket: downstreamTls(tls) }
}

/** Says in every answer, also in those of Envoy itself, that HTTP/3 is there, for a day (emissary-resources.md 4). */
function altSvc({ altSvcPort }: IrListener): readonly PlainMessage[] {
  if (altSvcPort === undefined) return []
  const header = { key: 'alt-svc', value: `h3=":${altSvcPort}"; ma=86400` }
  const responseMutations = [{ append: { header, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' } }]
  const typedConfig = any(`${filters}.http.header_mutation.v3.HeaderMutation`, { mutations: { responseMutations } })
  return [{ name: 'envoy.filters.http.header_mutation', typedConfig }]
}

function served(serve: IrChain['serve']): readonly ResourceKey[] {
  if (serve.kind === 'http') return [{ type: 'route', name: serve.routeConfig }]
  return serve.clusters.map(({ cluster }) => ({ type: 'cluster', name: cluster }))
}

function tcpProxy({ statPrefix, clusters, idleTimeoutMs }: IrTcp, { logs }: IrHttpServices): PlainMessage {
  const [only] = clusters
  const target =
    only !== undefined && clusters.length === 1
      ? { cluster: only.cluster }
      : { weightedClusters: { clusters: clusters.map(({ cluster, weight }) => ({ name: cluster, weight })) } }
  const told = logs.filter(({ driver }) => driver === 'tcp')
  return {
    ...{ statPrefix, ...target },
    ...(idleTimeoutMs === undefined ? {} : { idleTimeout: duration(idleTimeoutMs) }),
    ...(told.length === 0 ? {} : { accessLog: told.map(accessLog) }),
  }
}

function connectionManager(listener: IrListener, routeConfig: string, http: IrHttpServices): PlainMessage {
  return {
    statPrefix: listener.statPrefix,
    ...(listener.quic === true ? { codecType: 'HTTP3', http3ProtocolOptions: {} } : { codecType: 'AUTO' }),
    ...(listener.http2MaxConcurrentStreams === undefined
      ? {}
      : { http2ProtocolOptions: { maxConcurrentStreams: { value: listener.http2MaxConcurrentStreams } } }),
    rds: { routeConfigName: routeConfig, configSource: { ads: {}, resourceApiVersion: 'V3' } },
    httpFilters: [
      ...altSvc(listener),
      ...httpFilters(http),
      { name: 'envoy.filters.http.router', typedConfig: any(`${filters}.http.router.v3.Router`, router(http.options)) },
    ],
    accessLog: [...http.logs.map(accessLog), ...(http.options.accessLog === undefined ? [] : [ownAccessLog(http.options.accessLog)])],
    ...(http.tracing === undefined ? {} : { tracing: tracing(http.tracing) }),
    ...managerOptions(http.options),
    xffNumTrustedHops: listener.trustedHops,
    // Always on, as in Emissary: else `/public/../private` would pass a route for `/public/`.
    normalizePath: { value: true },
    // Where TLS ended before us, nobody else may tell the services behind that the request came by https.
    ...(listener.securityModel === 'SECURE' ? { schemeHeaderTransformation: { schemeToOverwrite: 'https' } } : {}),
  }
}

function router({ suppressEnvoyHeaders }: IrHttpOptions): PlainMessage {
  return suppressEnvoyHeaders === true ? { suppressEnvoyHeaders: true } : {}
}
