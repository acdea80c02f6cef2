import type { IrForward, IrHash, IrRoute, IrRouteConfig, IrVirtualHost } from '../../ir/route-table.ts'
import { refText } from '../../model/object-ref.ts'
import { duration, encodeMessage, type PlainMessage } from '../codec.ts'
import { makeResource, type Resource, type ResourceKey } from '../resource.ts'
import { rateLimit, routeFilter } from './http-filters.ts'
import { pathRegex, routeMatch } from './match.ts'

/** The RouteConfiguration of a listener, its routes in the order given; it requires every cluster that a route names. */
export function generateRouteConfig(config: IrRouteConfig): Resource {
  const message = {
    name: config.name,
    virtualHosts: config.virtualHosts.map(virtualHost),
    // `Host: web.example:8080` belongs to domain web.example, and the service behind still sees the port.
    ignorePortInHostMatching: true,
  }
  const bytes = encodeMessage('envoy.config.route.v3.RouteConfiguration', message)
  return makeResource('route', config.name, bytes, clustersOf(config))
}

function clustersOf(config: IrRouteConfig): readonly ResourceKey[] {
  const names = new Set<string>()
  for (const { routes } of config.virtualHosts) for (const { action } of routes) if (action.kind === 'forward') names.add(action.cluster)
  return [...names].sort().map(name => ({ type: 'cluster', name }))
}

function virtualHost(host: IrVirtualHost): PlainMessage {
  return { name: host.name, domains: host.domains, routes: host.routes.map(route) }
}

function route({ match, action, origins, filters, descriptors }: IrRoute): PlainMessage {
  return {
    // So that Envoy's own config dump says where a route comes from.
    name: origins.map(refText).join(', '),
    match: routeMatch(match),
    ...(action.kind === 'forward' ? { route: forward(action, match, descriptors) } : { redirect: { httpsRedirect: true } }),
    ...(filters === undefined ? {} : { typedPerFilterConfig: Object.fromEntries(filters.map(one => [one.filter, routeFilter(one)])) }),
  }
}

function forward(action: IrForward, match: IrRoute['match'], descriptors: IrRoute['descriptors']): PlainMessage {
  return {
    cluster: action.cluster,
    timeout: duration(action.timeoutMs),
    ...(action.rewrite === undefined ? {} : rewrite(action.rewrite, match.path)),
    ...(action.hash === undefined ? {} : { hashPolicy: [hashPolicy(action.hash)] }),
    ...(descriptors === undefined ? {} : { rateLimits: descriptors.map(rateLimit) }),
  }
}

function rewrite(to: string, path: IrRoute['match']['path']): PlainMessage {
  if (path.kind !== 'regex') return { prefixRewrite: to }
  // The pattern is anchored because Envoy replaces every match; a backslash would name a capture group.
  return { regexRewrite: { pattern: { regex: `^(?:${pathRegex(path)})$` }, substitution: to.replaceAll('\\', '\\\\') } }
}

function hashPolicy(hash: IrHash): PlainMessage {
  if (hash.kind === 'header') return { header: { headerName: hash.name } }
  if (hash.kind === 'source-ip') return { connectionProperties: { sourceIp: true } }
  const { name, path, ttlSeconds } = hash
  // Only with a lifetime does Envoy issue the cookie itself; 0 makes it a session cookie.
  return { cookie: { name, path, ...(ttlSeconds === undefined ? {} : { ttl: duration(ttlSeconds * 1000) }) } }
}
