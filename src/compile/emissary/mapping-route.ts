import { isDeepStrictEqual } from 'node:util'
import type { Checked } from '../../manifests/checked-object.ts'
import type { IrAddedHeader } from '../../ir/cluster-options.ts'
import type { IrAnswer, IrForward, IrRedirect } from '../../ir/route-action.ts'
import type { IrCluster, IrMatch, IrRoute, IrValueMatch } from '../../ir/route-table.ts'
import { authorityRegex, covers } from './host-glob.ts'
import { hashOf } from './clusters.ts'
import type { GroupDefaults } from './module/mapping-defaults.ts'
import { ownAction } from './route-options.ts'

/** A Mapping ready to be grouped: what it matches, where it sends, and what its place in the order is made of. */
export interface MappingRoute {
  readonly mapping: Checked<'Mapping'>
  /** Its host glob, lower case; undefined: only a Host's selector can adopt it. A regular expression is in `hostRegex`. */
  readonly hostname: string | undefined
  readonly hostRegex: string | undefined
  readonly path: IrMatch['path']
  /** Sorted by name; without the host. */
  readonly headers: readonly IrValueMatch[]
  readonly query: readonly IrValueMatch[]
  /** Undefined: it does not forward. */
  readonly cluster: IrCluster | undefined
  readonly action: IrForward | IrRedirect | IrAnswer
  /** It gets copies of its group's requests, and answers none. */
  readonly shadow: boolean
  /** Mappings with equal keys on one Host are one group (emissary-resources.md 11, "Grouping"). */
  readonly groupKey: string
  readonly order: OrderKey
  /** What its group does where none of its members says it. */
  readonly groupDefaults?: GroupDefaults
  /** What tells linkerd's proxy where its requests are meant for, if it says so. */
  readonly linkerd?: readonly IrAddedHeader[]
  /** What it says to the services that listeners call, and what it says where it only redirects. */
  readonly services?: RouteServices
}

export interface RouteServices extends Pick<IrRoute, 'filters' | 'descriptors'> {
  readonly whenRedirected: Pick<IrRoute, 'filters'>
}

/** Compared descending, field by field (emissary-resources.md 11, "Order"). */
export interface OrderKey {
  readonly precedence: number
  readonly prefixLength: number
  readonly headerLength: number
  readonly queryLength: number
  readonly prefix: string
  readonly method: string
  readonly headerKeys: readonly string[]
  readonly queryKeys: readonly string[]
}

const defaultTimeoutMs = 3_000

/** Where the requests of a Mapping go: a cluster, elsewhere by the client's own feet, or nowhere as Envoy answers them. */
export type Target = { readonly cluster: IrCluster } | { readonly redirect: IrRedirect } | { readonly answer: IrAnswer }

/** Reads a Mapping, given where its requests go. `path`: how its path is matched, where its own fields have no words for it. */
export function mappingRoute(mapping: Checked<'Mapping'>, target: Target, path: IrMatch['path'] = pathOf(mapping)): MappingRoute {
  const { spec } = mapping
  const { hostRegex, headers: declared, ...host } = hostOf(mapping)
  const hostname = host.hostname?.toLowerCase()
  const headers = [
    ...constraints(declared, spec.regex_headers ?? {}, name => name.toLowerCase()),
    ...(spec.method === undefined
      ? []
      : [{ name: ':method', kind: spec.method_regex === true ? 'regex' : 'exact', value: spec.method } as const]),
  ].sort(byName)
  const query = constraints(spec.query_parameters ?? {}, spec.regex_query_parameters ?? {}, name => name).sort(byName)
  const authority: readonly IrValueMatch[] =
    hostRegex !== undefined
      ? [{ name: ':authority', kind: 'regex', value: hostRegex }]
      : hostname === undefined
        ? []
        : [{ name: ':authority', kind: 'exact', value: hostname }]
  const counted = [...authority, ...headers].sort(byName)
  const hash = hashOf(spec.load_balancer)
  return {
    mapping,
    hostname,
    hostRegex,
    path,
    headers,
    query,
    cluster: 'cluster' in target ? target.cluster : undefined,
    shadow: spec.shadow === true,
    action:
      'redirect' in target
        ? target.redirect
        : 'answer' in target
          ? target.answer
          : {
              kind: 'forward',
              cluster: target.cluster.name,
              ...ownAction(mapping),
              timeoutMs: spec.timeout_ms ?? defaultTimeoutMs,
              ...(hash === undefined ? {} : { hash }),
            },
    // A prefix of segments is another match than the plain one of the same text, which matches more and so comes after it.
    groupKey: JSON.stringify([spec.precedence ?? 0, spec.prefix, counted, query, ...(path.kind === 'segments' ? [path.kind] : [])]),
    order: {
      precedence: spec.precedence ?? 0,
      prefixLength: spec.prefix.length,
      headerLength: totalLength(counted),
      queryLength: totalLength(query),
      prefix: spec.prefix,
      method: spec.method ?? 'GET',
      headerKeys: counted.map(key),
      queryKeys: query.map(key),
    },
  }
}

function pathOf({ spec }: Checked<'Mapping'>): IrMatch['path'] {
  return {
    kind: spec.prefix_regex === true ? 'regex' : spec.prefix_exact === true ? 'exact' : 'prefix',
    value: spec.prefix,
    caseSensitive: spec.case_sensitive ?? true,
  }
}

/** `hostname` wins over `host`, and an exact `:authority` header counts as host (emissary-resources.md 1.1). */
function hostOf({ spec }: Checked<'Mapping'>) {
  const { hostname, host } = spec
  if (hostname !== undefined) return { hostname, hostRegex: undefined, headers: spec.headers ?? {} }
  if (host !== undefined)
    return {
      hostname: spec.host_regex === true ? undefined : host,
      hostRegex: spec.host_regex === true ? host : undefined,
      headers: spec.headers ?? {},
    }
  const authority = Object.entries(spec.headers ?? {}).find(([name]) => name.toLowerCase() === ':authority')
  if (authority === undefined) return { hostname: undefined, hostRegex: undefined, headers: spec.headers ?? {} }
  const { [authority[0]]: _host, ...headers } = spec.headers ?? {}
  return { hostname: authority[1], hostRegex: undefined, headers }
}

function constraints(
  exact: Readonly<Record<string, string>>,
  regex: Readonly<Record<string, string>>,
  nameOf: (name: string) => string,
): IrValueMatch[] {
  return [
    ...Object.entries(exact).map(([name, value]): IrValueMatch => ({ name: nameOf(name), kind: 'exact', value })),
    ...Object.entries(regex).map(
      ([name, value]): IrValueMatch =>
        value === '.*' ? { name: nameOf(name), kind: 'present', value: '' } : { name: nameOf(name), kind: 'regex', value },
    ),
  ]
}

function byName(a: IrValueMatch, b: IrValueMatch): number {
  const [x, y] = [`${a.name}\0${a.kind}\0${a.value}`, `${b.name}\0${b.kind}\0${b.value}`]
  return x < y ? -1 : x > y ? 1 : 0
}

/** Name and value, one more for a regular expression; the pattern of "is present" is `.*`. */
function totalLength(list: readonly IrValueMatch[]): number {
  return list.reduce(
    (sum, one) => sum + one.name.length + (one.kind === 'present' ? 3 : one.value.length || 1) + (one.kind === 'regex' ? 1 : 0),
    0,
  )
}

function key(one: IrValueMatch): string {
  return `${one.name}-${one.kind === 'present' ? '.*' : one.value || '*'}`
}

/** Requests of the virtual host may be for other hosts than the Mapping's, so that its routes there need a condition. */
export function needsHostMatch(route: MappingRoute, domain: string): boolean {
  return route.hostRegex !== undefined || (route.hostname !== undefined && !covers(route.hostname, domain))
}

/** The match of one member within the virtual host of a domain. */
export function matchOn(route: MappingRoute, domain: string): IrMatch {
  const regex = route.hostRegex ?? authorityRegex(route.hostname ?? '*')
  const host: readonly IrValueMatch[] =
    regex !== undefined && needsHostMatch(route, domain) ? [{ name: ':authority', kind: 'regex', value: regex }] : []
  return { path: route.path, headers: [...host, ...route.headers], query: route.query }
}

/** Fields in which all members of a group must agree (emissary-resources.md 11, "Grouping"). */
const agreedFields = [
  'bypass_auth',
  'labels',
  'circuit_breakers',
  'cluster_idle_timeout_ms',
  'cluster_max_connection_lifetime_ms',
  'keepalive',
] as const

/** The field in which two members of one group must agree and do not, or undefined (emissary-resources.md 11, "Grouping"). */
export function disagreement(a: MappingRoute, b: MappingRoute): string | undefined {
  if (a.path.kind !== b.path.kind) return b.path.kind === 'regex' || a.path.kind === 'regex' ? 'prefix_regex' : 'prefix_exact'
  const [one, other] = [a.mapping.spec, b.mapping.spec]
  if (!isDeepStrictEqual(one.load_balancer ?? { policy: 'round_robin' }, other.load_balancer ?? { policy: 'round_robin' }))
    return 'load_balancer'
  if (a.cluster !== undefined && b.cluster !== undefined && a.cluster.connectTimeoutMs !== b.cluster.connectTimeoutMs)
    return 'connect_timeout_ms'
  return agreedFields.find(field => !isDeepStrictEqual(one[field], other[field]))
}
