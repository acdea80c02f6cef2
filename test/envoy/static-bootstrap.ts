import { bootstrap } from '../../src/envoy/bootstrap.ts'
import type { RouteTable } from '../../src/ir/route-table.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'
import type { PoolView } from '../../src/table/reader.ts'
import { translate } from '../../src/xds/generate/translate.ts'

type Json = Record<string, unknown>
type Pools = (service: ServiceKey) => PoolView | undefined

/** A bootstrap that holds what we generate exactly as it would come over ADS. */
export function withStructure(table: RouteTable, adminPort: number): string {
  const made = base(adminPort)
  const { listeners, clusters } = translate(table, () => undefined)
  made.static_resources.clusters.push(...(clusters as Json[]))
  return JSON.stringify({ ...made, static_resources: { ...made.static_resources, listeners } })
}

/**
 * A bootstrap with the same listeners, routes, clusters and endpoints, but at rest: routes and endpoints stand where they are
 * referred to, and Envoy's runtime in its bootstrap. It serves without any control plane.
 */
export function atRest(table: RouteTable, pools: Pools, adminPort: number): string {
  const made = base(adminPort)
  const { listeners, routes, clusters, endpoints, runtime } = translate(table, pools) as unknown as Record<string, Json[]>
  const named = (list: Json[] | undefined, field: string, name: unknown) => list?.find(one => one[field] === name)
  for (const listener of listeners ?? []) {
    for (const { filters } of listener['filter_chains'] as { filters: { typed_config: Json }[] }[]) {
      for (const { typed_config: manager } of filters) {
        manager['route_config'] = named(routes, 'name', (manager['rds'] as Json)['route_config_name'])
        delete manager['rds']
      }
    }
  }
  for (const cluster of clusters ?? []) {
    const eds = cluster['eds_cluster_config'] as Json | undefined
    if (eds === undefined) continue
    delete cluster['eds_cluster_config']
    cluster['type'] = 'STATIC'
    cluster['load_assignment'] = { ...named(endpoints, 'cluster_name', eds['service_name']), cluster_name: cluster['name'] }
  }
  const { dynamic_resources: _, layered_runtime, ...rest } = made
  const layers = layered_runtime.layers.map(one =>
    'rtds_layer' in one ? { name: one['name'], static_layer: runtime?.[0]?.['layer'] } : one,
  )
  return JSON.stringify({ ...rest, layered_runtime: { layers }, static_resources: { listeners, clusters } })
}

function base(adminPort: number) {
  const options = { nodeId: 'test', cluster: 'test', xds: { host: '127.0.0.1', port: 1 }, protocol: 'delta', adminPort } as const
  return bootstrap(options) as {
    dynamic_resources: Json
    layered_runtime: { layers: Json[] }
    static_resources: { clusters: Json[] }
  }
}
