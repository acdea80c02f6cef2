import { type PlacedRoute, placedRoutes } from '../../ir/placed-routes.ts'
import type { RouteTable } from '../../ir/route-table.ts'
import type { RouteBody } from '../schemas.ts'

/** Every effective route, in the order Envoy tries them within a virtual host. */
export function routeBodies(table: RouteTable): readonly RouteBody[] {
  return placedRoutes(table).map(routeBodyOf)
}

/** A route as the API shows it. */
export function routeBodyOf({ route, order, listeners, routeConfig, virtualHost, domains, upstream, coveredBy }: PlacedRoute): RouteBody {
  return {
    ...{ order, listeners: [...listeners], routeConfig, virtualHost, domains: [...domains] },
    match: { ...route.match },
    action: { ...route.action },
    service: upstream ?? null,
    origins: route.origins.map(origin => ({ ...origin })),
    ...(coveredBy === undefined ? {} : { coveredBy: coveredBy.origins.map(origin => ({ ...origin })) }),
  }
}
