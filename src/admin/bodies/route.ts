import type { IrCluster, RouteTable } from '../../ir/route-table.ts'
import type { RouteBody } from '../schemas.ts'

/** Every effective route, in the order Envoy tries them within a virtual host. */
export function routeBodies(table: RouteTable): readonly RouteBody[] {
  const upstreams = new Map(table.clusters.map(cluster => [cluster.name, upstream(cluster)]))
  return table.routeConfigs.flatMap(config => {
    const listeners = table.listeners
      .filter(listener => listener.chains.some(({ serve }) => serve.kind === 'http' && serve.routeConfig === config.name))
      .map(listener => listener.name)
    return config.virtualHosts.flatMap(host =>
      host.routes.map((route, order) => ({
        order,
        listeners,
        routeConfig: config.name,
        virtualHost: host.name,
        domains: [...host.domains],
        match: { ...route.match },
        action: { ...route.action },
        service: route.action.kind === 'forward' ? (upstreams.get(route.action.cluster) ?? null) : null,
        origins: route.origins.map(origin => ({ ...origin })),
      })),
    )
  })
}

function upstream(cluster: IrCluster): string {
  switch (cluster.kind) {
    case 'eds':
      return cluster.assignment.service
    case 'strict_dns':
      return `${cluster.host}:${cluster.port}`
    case 'static':
      return `${cluster.address}:${cluster.port}`
  }
}
