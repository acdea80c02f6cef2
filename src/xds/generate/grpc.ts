import type { AssignmentSpec } from '../../ir/assignment.ts'
import type { IrGrpcTarget } from '../../ir/grpc-names.ts'
import type { IrCluster } from '../../ir/route-table.ts'
import { any, encodeMessage, type PlainMessage } from '../codec.ts'
import { makeResource, type Resource, type ResourceKey } from '../resource.ts'
import { fixedAssignment } from './grpc-assignment.ts'
import { grpcRoute } from './grpc-route.ts'

/** What one name that gRPC clients ask for consists of. All of it is on demand: Envoys, which ask for everything, are not sent it. */
export interface GrpcResources {
  readonly resources: readonly Resource[]
  /** Of the clusters among the resources; their endpoints come by the fast path. */
  readonly assignments: readonly AssignmentSpec[]
}

/** gRPC takes not all that Envoy takes, so its resources are others, and have names of their own. */
const prefix = 'grpc|'
const filters = 'envoy.extensions.filters'

/** The IR's name of a cluster that a gRPC client names; undefined for names that are none of ours. */
export function grpcClusterOf(name: string): string | undefined {
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined
}

/** API listener, route configuration and clusters of a target (xds.md G4, G5). */
export function generateGrpcTarget({ name, routes, clusters }: IrGrpcTarget): GrpcResources {
  const made = clusters.map(generateGrpcCluster)
  const routeConfig = {
    name: prefix + name,
    // One virtual host whatever the authority: a client may dial one name and claim to be asking another.
    virtualHosts: [{ name, domains: ['*'], routes: routes.flatMap(route => grpcRoute(route, cluster => prefix + cluster)) }],
  }
  const requires = clusters.map((cluster): ResourceKey => ({ type: 'cluster', name: prefix + cluster.name }))
  const route = onDemand('route', routeConfig.name, 'envoy.config.route.v3.RouteConfiguration', routeConfig, requires)
  return {
    resources: [...made.flatMap(one => one.resources), route, apiListener(name, routeConfig.name)],
    assignments: made.flatMap(one => one.assignments),
  }
}

/** The Cluster of an upstream, and its assignment where that is fixed. */
export function generateGrpcCluster(cluster: IrCluster): GrpcResources {
  const name = prefix + cluster.name
  const generated = (kind: PlainMessage, requires: readonly ResourceKey[]) =>
    onDemand('cluster', name, 'envoy.config.cluster.v3.Cluster', { name, lbPolicy: policy(cluster), ...kind }, requires)
  switch (cluster.kind) {
    case 'eds': {
      const spec: AssignmentSpec = { ...cluster.assignment, name: prefix + cluster.assignment.name }
      return { resources: [generated(byEds(spec.name), [{ type: 'endpoint', name: spec.name }])], assignments: [spec] }
    }
    case 'static': {
      // gRPC has no STATIC; clients do not agree on how LOGICAL_DNS would write an IPv6 address.
      const fixed = fixedAssignment(name, cluster.address, cluster.port)
      return { resources: [fixed, generated(byEds(name), [fixed])], assignments: [] }
    }
    case 'strict_dns': {
      const endpoint = { address: { socketAddress: { address: cluster.host, portValue: cluster.port } } }
      const loadAssignment = { clusterName: name, endpoints: [{ locality: {}, lbEndpoints: [{ endpoint }] }] }
      return { resources: [generated({ type: 'LOGICAL_DNS', loadAssignment }, [])], assignments: [] }
    }
  }
}

function byEds(serviceName: string): PlainMessage {
  return { type: 'EDS', edsClusterConfig: { serviceName, edsConfig: { ads: {}, resourceApiVersion: 'V3' } } }
}

/** The two that every gRPC client has: a hash ring stands in for Maglev, turns for the least requests. */
function policy({ loadBalancing }: IrCluster): string {
  return loadBalancing === 'ring_hash' || loadBalancing === 'maglev' ? 'RING_HASH' : 'ROUND_ROBIN'
}

function apiListener(name: string, routeConfigName: string): Resource {
  const manager = {
    statPrefix: 'grpc',
    rds: { routeConfigName, configSource: { ads: {}, resourceApiVersion: 'V3' } },
    httpFilters: [{ name: 'envoy.filters.http.router', typedConfig: any(`${filters}.http.router.v3.Router`, {}) }],
  }
  const apiListener = any(`${filters}.network.http_connection_manager.v3.HttpConnectionManager`, manager)
  return onDemand('listener', name, 'envoy.config.listener.v3.Listener', { name, apiListener: { apiListener } }, [
    { type: 'route', name: routeConfigName },
  ])
}

function onDemand(
  type: Resource['type'],
  name: string,
  messageName: string,
  message: PlainMessage,
  requires: readonly ResourceKey[],
): Resource {
  return makeResource(
    type,
    name,
    encodeMessage(messageName, message),
    requires.map(key => ({ type: key.type, name: key.name })),
    true,
  )
}
