import type { RouteTable } from '../../ir/route-table.ts'
import type { Resource } from '../resource.ts'
import { generateCluster } from './cluster.ts'
import { generateListener } from './listener.ts'
import { generateRouteConfig } from './route-config.ts'
import { generateSecret } from './secret.ts'

/**
 * Everything but endpoints: clusters, route configurations, listeners and secrets, one resource each, with what each requires. Pure; equal tables
 * give equal bytes, so publishing only what differs is the cache's business.
 */
export function generateStructure(table: RouteTable): readonly Resource[] {
  return [
    ...table.clusters.map(generateCluster),
    ...table.routeConfigs.map(generateRouteConfig),
    ...table.listeners.map(one => generateListener(one, table.http)),
    ...table.secrets.map(generateSecret),
  ]
}
