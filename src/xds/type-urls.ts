/** The resource types we serve, by short name. Wire order of one change is the order here (xds.md O1). */
export const typeUrls = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  runtime: 'type.googleapis.com/envoy.service.runtime.v3.Runtime',
} as const

export type ResourceType = keyof typeof typeUrls

export const resourceTypes = Object.keys(typeUrls) as readonly ResourceType[]

const byUrl = new Map<string, ResourceType>(resourceTypes.map(type => [typeUrls[type], type]))

/** The short name of a type URL, or undefined if we do not serve that type. */
export function typeOfUrl(url: string): ResourceType | undefined {
  return byUrl.get(url)
}
