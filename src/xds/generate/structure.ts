import type { RouteTable } from '../../ir/route-table.ts'
import { finish, type Steps } from '../../model/steps.ts'
import type { Resource } from '../resource.ts'
import { generateCluster } from './cluster.ts'
import { generateListener } from './listener.ts'
import { routeConfigSteps } from './route-config.ts'
import { generateRuntime } from './runtime.ts'
import { generateSecret } from './secret.ts'

/**
 * Everything but endpoints: clusters, route configurations, listeners and secrets, one resource each, with what each requires, and Envoy's runtime. Pure; equal tables
 * give equal bytes, so publishing only what differs is the cache's business.
 */
export function generateStructure(table: RouteTable): readonly Resource[] {
  return finish(structureSteps(table))
}

/** The same, cut into steps. */
export function* structureSteps(table: RouteTable): Steps<readonly Resource[]> {
  const made: Resource[] = []
  for (const cluster of table.clusters) {
    yield
    made.push(generateCluster(cluster))
  }
  for (const config of table.routeConfigs) made.push(yield* routeConfigSteps(config))
  for (const listener of table.listeners) made.push(generateListener(listener, table.http))
  for (const secret of table.secrets) made.push(generateSecret(secret))
  made.push(generateRuntime(table.http.options))
  return made
}
