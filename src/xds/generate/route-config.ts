import { Writer } from 'protobufjs'
import { clustersOfRoutes } from '../../ir/clusters-of-routes.ts'
import type { IrCors, IrForward, IrHash, IrHeaderChanges, IrHttpsRedirect, IrRedirect } from '../../ir/route-action.ts'
import type { IrRoute, IrRouteConfig } from '../../ir/route-table.ts'
import { perObject } from '../../model/memo.ts'
import { refText } from '../../model/object-ref.ts'
import { finish, type Steps } from '../../model/steps.ts'
import { any, duration, encodeMessage, type PlainAny, type PlainMessage } from '../codec.ts'
import { makeResource, type Resource, type ResourceKey } from '../resource.ts'
import { headerToAdd } from './cluster-options.ts'
import { corsFilter, rateLimit, routeFilter } from './http-filters.ts'
import { pathRegex, routeMatch } from './match.ts'

/** The RouteConfiguration of a listener, its routes in the order given; it requires every cluster that a route names. */
export function generateRouteConfig(config: IrRouteConfig): Resource {
  return finish(routeConfigSteps(config))
}

/**
 * The same, cut into steps: routes are encoded one by one and put together, as a message is no more than its fields one after the other. The bytes
 * are those that encoding it whole gives. A route that was encoded before is not encoded again.
 */
export function* routeConfigSteps(config: IrRouteConfig): Steps<Resource> {
  const name = 'envoy.config.route.v3.RouteConfiguration'
  const parts = [encodeMessage(name, { name: config.name })]
  for (const host of config.virtualHosts) {
    yield
    const own = [encodeMessage('envoy.config.route.v3.VirtualHost', { name: host.name, domains: host.domains })]
    for (const [index, one] of host.routes.entries()) {
      if (index % perStep === perStep - 1) yield
      own.push(routeField(one))
    }
    parts.push(field(virtualHosts, own))
  }
  // `Host: web.example:8080` belongs to domain web.example, and the service behind still sees the port.
  parts.push(encodeMessage(name, { ignorePortInHostMatching: true }))
  return makeResource('route', config.name, Buffer.concat(parts), clustersOf(config))
}

/** Routes of one step: about half a millisecond. */
const perStep = 16

/** Numbers of the fields that hold the parts. */
const virtualHosts = 2
const virtualHostRoutes = 3

/** A route as a field of its virtual host. */
const routeField = perObject((given: IrRoute) => field(virtualHostRoutes, [encodeMessage('envoy.config.route.v3.Route', route(given))]))

/** A field of a message: its head, and the encoded message that it holds, given in parts. */
function field(number: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const head = Writer.create()
    .uint32((number << 3) | 2)
    .uint32(length)
    .finish() as Buffer
  return Buffer.concat([head, ...parts], head.length + length)
}

function clustersOf(config: IrRouteConfig): readonly ResourceKey[] {
  const names = new Set(config.virtualHosts.flatMap(({ routes }) => clustersOfRoutes(routes)))
  return [...names].sort().map(name => ({ type: 'cluster', name }))
}

function route(given: IrRoute): PlainMessage {
  const { match, action, origins, headers } = given
  return {
    // So that Envoy's own config dump says where a route comes from.
    name: origins.map(refText).join(', '),
    match: routeMatch(match),
    ...actionOf(action, given),
    ...(headers === undefined ? {} : headerChanges(headers)),
    ...filterConfigs(given),
  }
}

/** What the route says to filters, by their names. */
function filterConfigs({ filters = [], cors }: IrRoute): PlainMessage {
  const configs = Object.fromEntries(filters.map(one => [one.filter, routeFilter(one)]))
  if (cors !== undefined) configs[corsFilter] = corsPolicy(cors)
  return Object.keys(configs).length === 0 ? {} : { typedPerFilterConfig: configs }
}

function corsPolicy({ origins, methods, headers, exposedHeaders, credentials, maxAge }: IrCors): PlainAny {
  return any('envoy.extensions.filters.http.cors.v3.CorsPolicy', {
    allowOriginStringMatch: origins.map(origin => (origin === '*' ? { safeRegex: { regex: '.*' } } : { exact: origin })),
    allowMethods: methods.join(', '),
    allowHeaders: headers.join(', '),
    exposeHeaders: exposedHeaders.join(', '),
    allowCredentials: { value: credentials },
    ...(maxAge === undefined ? {} : { maxAge }),
  })
}

function headerChanges({ addRequest, removeRequest, addResponse, removeResponse }: IrHeaderChanges): PlainMessage {
  return {
    requestHeadersToAdd: addRequest.map(headerToAdd),
    requestHeadersToRemove: removeRequest,
    responseHeadersToAdd: addResponse.map(headerToAdd),
    responseHeadersToRemove: removeResponse,
  }
}

const codes = { 301: 'MOVED_PERMANENTLY', 302: 'FOUND', 303: 'SEE_OTHER', 307: 'TEMPORARY_REDIRECT', 308: 'PERMANENT_REDIRECT' } as const

function actionOf(action: IrRoute['action'], given: IrRoute): PlainMessage {
  if (action.kind === 'forward') return { route: forward(action, given) }
  if (action.kind === 'answer') return { directResponse: { status: action.status, body: { inlineString: action.body } } }
  return { redirect: redirect(action) }
}

function redirect(action: IrRedirect | IrHttpsRedirect): PlainMessage {
  if (action.kind === 'https-redirect') return { httpsRedirect: true }
  return {
    schemeRedirect: action.scheme,
    hostRedirect: action.host,
    ...(action.port === undefined ? {} : { portRedirect: action.port }),
    ...pathRedirect(action.path),
    responseCode: codes[action.code],
  }
}

function pathRedirect(path: IrRedirect['path']): PlainMessage {
  switch (path?.kind) {
    case undefined:
      return {}
    case 'whole':
      return { pathRedirect: path.path }
    case 'prefix':
      return { prefixRewrite: path.path }
    case 'regex':
      return { regexRewrite: { pattern: { regex: path.pattern }, substitution: path.substitution } }
  }
}

function forward(action: IrForward, { match, descriptors }: Pick<IrRoute, 'match' | 'descriptors'>): PlainMessage {
  const { regexRewrite: regex, hostRewrite: host, retry, upgrades = [], mirrors = [] } = action
  return {
    cluster: action.cluster,
    timeout: duration(action.timeoutMs),
    ...(action.idleTimeoutMs === undefined ? {} : { idleTimeout: duration(action.idleTimeoutMs) }),
    ...(regex !== undefined
      ? { regexRewrite: { pattern: { regex: regex.pattern }, substitution: regex.substitution } }
      : action.rewrite === undefined
        ? {}
        : rewrite(action.rewrite, match.path)),
    ...(host === undefined ? {} : host.kind === 'auto' ? { autoHostRewrite: { value: true } } : { hostRewriteLiteral: host.host }),
    ...(retry === undefined ? {} : { retryPolicy: retryPolicy(retry) }),
    upgradeConfigs: upgrades.map(upgradeType => ({ upgradeType })),
    requestMirrorPolicies: mirrors.map(mirror),
    ...(action.priority === 'high' ? { priority: 'HIGH' } : {}),
    ...(action.hash === undefined ? {} : { hashPolicy: [hashPolicy(action.hash)] }),
    ...(descriptors === undefined ? {} : { rateLimits: descriptors.map(rateLimit) }),
  }
}

function retryPolicy({ on, retries, perTryTimeoutMs }: NonNullable<IrForward['retry']>): PlainMessage {
  return {
    retryOn: on,
    numRetries: { value: retries },
    ...(perTryTimeoutMs === undefined ? {} : { perTryTimeout: duration(perTryTimeoutMs) }),
  }
}

function mirror({ cluster, percent }: NonNullable<IrForward['mirrors']>[number]): PlainMessage {
  return percent === 100 ? { cluster } : { cluster, runtimeFraction: { defaultValue: { numerator: percent, denominator: 'HUNDRED' } } }
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
