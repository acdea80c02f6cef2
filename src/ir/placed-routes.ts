import { coveringRoutes } from './covered-routes.ts'
import type { IrCluster, IrRoute, RouteTable } from './route-table.ts'

/** A route and where it stands. */
export interface PlacedRoute {
  readonly route: IrRoute
  /** Place within its virtual host: the first match wins. */
  readonly order: number
  readonly listeners: readonly string[]
  readonly routeConfig: string
  readonly virtualHost: string
  readonly domains: readonly string[]
  /** The service behind its cluster, or host:port; undefined where it forwards nothing. */
  readonly upstream: string | undefined
  /** An earlier route of its virtual host that takes every request it could match. */
  readonly coveredBy: IrRoute | undefined
}

/** Every effective route, in the order Envoy tries them within a virtual host. */
export function placedRoutes(table: RouteTable): readonly PlacedRoute[] {
  const upstreams = new Map(table.clusters.map(cluster => [cluster.name, upstreamOf(cluster)]))
  return table.routeConfigs.flatMap(config => {
    const listeners = table.listeners
      .filter(listener => listener.chains.some(({ serve }) => serve.kind === 'http' && serve.routeConfig === config.name))
      .map(listener => listener.name)
    return config.virtualHosts.flatMap(host => {
      const covering = coveringRoutes(host.routes)
      return host.routes.map((route, order) => ({
        route,
        order,
        listeners,
        routeConfig: config.name,
        virtualHost: host.name,
        domains: host.domains,
        upstream: route.action.kind === 'forward' ? upstreams.get(route.action.cluster) : undefined,
        coveredBy: covering[order],
      }))
    })
  })
}

function upstreamOf(cluster: IrCluster): string {
  switch (cluster.kind) {
    case 'eds':
      return cluster.assignment.service
    case 'strict_dns':
      return `${cluster.host}:${cluster.port}`
    case 'static':
      return `${cluster.address}:${cluster.port}`
  }
}
