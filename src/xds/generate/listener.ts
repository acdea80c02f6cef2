import type { IrHttpServices } from '../../ir/http-services.ts'
import type { IrListener } from '../../ir/route-table.ts'
import { any, encodeMessage, type PlainMessage } from '../codec.ts'
import { makeResource, type Resource, type ResourceKey } from '../resource.ts'
import { serviceClusters, serviceFilters } from './http-filters.ts'
import { accessLog, tracing } from './observation.ts'

const filters = 'envoy.extensions.filters'

/** The Listener of one port, which takes its routes by RDS: a change of routes must not drain connections. */
export function generateListener(listener: IrListener, http: IrHttpServices): Resource {
  const message = {
    name: listener.name,
    address: {
      socketAddress: {
        address: listener.address,
        portValue: listener.port,
        // Without it, an address of all IPv6 interfaces would refuse IPv4 clients.
        ...(listener.address === '::' ? { ipv4Compat: true } : {}),
      },
    },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typedConfig: any(`${filters}.network.http_connection_manager.v3.HttpConnectionManager`, connectionManager(listener, http)),
          },
        ],
      },
    ],
  }
  const requires: ResourceKey[] = [
    { type: 'route', name: listener.routeConfig },
    ...serviceClusters(http).map(name => ({ type: 'cluster', name }) as const),
  ]
  return makeResource('listener', listener.name, encodeMessage('envoy.config.listener.v3.Listener', message), requires)
}

function connectionManager(listener: IrListener, http: IrHttpServices): PlainMessage {
  return {
    statPrefix: listener.statPrefix,
    codecType: 'AUTO',
    rds: { routeConfigName: listener.routeConfig, configSource: { ads: {}, resourceApiVersion: 'V3' } },
    httpFilters: [...serviceFilters(http), { name: 'envoy.filters.http.router', typedConfig: any(`${filters}.http.router.v3.Router`, {}) }],
    accessLog: http.logs.map(accessLog),
    ...(http.tracing === undefined ? {} : { tracing: tracing(http.tracing) }),
    // The client's address is that of the connection, or is taken from X-Forwarded-For behind that many trusted hops (experience.md 2.5).
    useRemoteAddress: { value: true },
    xffNumTrustedHops: listener.trustedHops,
    // Always on, as in Emissary: else `/public/../private` would pass a route for `/public/`.
    normalizePath: { value: true },
    // Where TLS ended before us, nobody else may tell the services behind that the request came by https.
    ...(listener.securityModel === 'SECURE' ? { schemeHeaderTransformation: { schemeToOverwrite: 'https' } } : {}),
  }
}
