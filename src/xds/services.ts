import type { ServiceDefinition } from '@grpc/grpc-js'
import type { Parts } from './frames.ts'
import type { ResourceType } from './type-urls.ts'

/** What a method carries. */
export interface XdsMethod {
  readonly protocol: 'sotw' | 'delta'
  /** The one type of a per-type service; undefined for ADS. */
  readonly type: ResourceType | undefined
}

export interface XdsService {
  readonly definition: ServiceDefinition
  readonly methods: Readonly<Record<string, XdsMethod>>
}

/** Every service by its full name: ADS, and one per type (xds.md, per-type RPCs). */
export const xdsServices: readonly XdsService[] = [
  service('envoy.service.discovery.v3.AggregatedDiscoveryService', 'AggregatedResources', undefined),
  service('envoy.service.cluster.v3.ClusterDiscoveryService', 'Clusters', 'cluster'),
  service('envoy.service.endpoint.v3.EndpointDiscoveryService', 'Endpoints', 'endpoint'),
  service('envoy.service.listener.v3.ListenerDiscoveryService', 'Listeners', 'listener'),
  service('envoy.service.route.v3.RouteDiscoveryService', 'Routes', 'route'),
  service('envoy.service.secret.v3.SecretDiscoveryService', 'Secrets', 'secret'),
  service('envoy.service.runtime.v3.RuntimeDiscoveryService', 'Runtime', 'runtime'),
]

/**
 * Two streaming methods that carry bytes: a response is encoded once for all streams, a request is decoded by hand. The pieces of a
 * response are joined when the socket takes it, so that one that waits for a slow client costs no memory of its own (xds.md L4).
 */
function service(fullName: string, noun: string, type: ResourceType | undefined): XdsService {
  const methods = { [`Stream${noun}`]: { protocol: 'sotw', type }, [`Delta${noun}`]: { protocol: 'delta', type } } as const
  const asIs = (bytes: Buffer): Buffer => bytes
  const join = (parts: Parts): Buffer => Buffer.concat(parts)
  const definition = Object.keys(methods).map(method => [
    method,
    {
      path: `/${fullName}/${method}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: join,
      responseDeserialize: asIs,
    },
  ])
  return { definition: Object.fromEntries(definition) as ServiceDefinition, methods }
}
