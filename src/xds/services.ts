import type { ResourceType } from './type-urls.ts'

/** What a method carries. */
export interface XdsMethod {
  readonly protocol: 'sotw' | 'delta'
  /** The one type of a per-type service; undefined for ADS. */
  readonly type: ResourceType | undefined
}

/** Every streaming method by its path: those of ADS, and of one service per type (xds.md, per-type RPCs). */
export const xdsMethods: ReadonlyMap<string, XdsMethod> = new Map([
  ...methodsOf('envoy.service.discovery.v3.AggregatedDiscoveryService', 'AggregatedResources', undefined),
  ...methodsOf('envoy.service.cluster.v3.ClusterDiscoveryService', 'Clusters', 'cluster'),
  ...methodsOf('envoy.service.endpoint.v3.EndpointDiscoveryService', 'Endpoints', 'endpoint'),
  ...methodsOf('envoy.service.listener.v3.ListenerDiscoveryService', 'Listeners', 'listener'),
  ...methodsOf('envoy.service.route.v3.RouteDiscoveryService', 'Routes', 'route'),
  ...methodsOf('envoy.service.secret.v3.SecretDiscoveryService', 'Secrets', 'secret'),
  ...methodsOf('envoy.service.runtime.v3.RuntimeDiscoveryService', 'Runtime', 'runtime'),
])

function methodsOf(service: string, noun: string, type: ResourceType | undefined): readonly (readonly [string, XdsMethod])[] {
  return [
    [`/${service}/Stream${noun}`, { protocol: 'sotw', type }],
    [`/${service}/Delta${noun}`, { protocol: 'delta', type }],
  ]
}
