import { RE2JS } from 're2js'
import type { GrpcNames, IrGrpcTarget } from '../../ir/grpc-names.ts'
import type { IrCluster, IrMatch, IrRoute, IrValueMatch } from '../../ir/route-table.ts'
import { withoutPort } from '../../manifests/check-host.ts'
import { type ServiceKey, serviceKey } from '../../model/service-key.ts'
import { Memo } from '../../model/memo.ts'
import { finish } from '../../model/steps.ts'
import { mergeClusters } from './clusters.ts'
import { adopts, syntheticHost } from './hosts.ts'
import type { Lookups } from './lookups.ts'
import type { MappingRoute } from './mapping-route.ts'
import { assignment, statName } from './names.ts'
import { parseServiceName } from './service-name.ts'
import { servicesOf } from './upstream.ts'
import { hostRoutes } from './virtual-hosts.ts'

/**
 * What `xds:///NAME` means (interface.md, "What `service:` means"): the exact hostname of a Mapping, with all the routes that requests for
 * this host have; else `NAME.NAMESPACE[:PORT]`, the pool of that service. Hosts and Listeners do not count: they say what an Envoy lets in.
 * @param routes of all Mappings that serve
 */
export function grpcNames(routes: readonly MappingRoute[], lookups: Lookups): GrpcNames {
  return {
    target(name) {
      const dialled = name.toLowerCase()
      const names = [dialled, withoutPort(dialled) ?? dialled].filter(one => !one.includes('*'))
      const host = names.find(one => routes.some(({ hostname }) => hostname === one))
      return host === undefined ? poolTarget(name, lookups) : hostTarget(name, host, routes)
    },
    cluster: name => routes.findLast(route => route.cluster?.name === name)?.cluster ?? poolCluster(name, lookups),
  }
}

function hostTarget(name: string, host: string, mappings: readonly MappingRoute[]): IrGrpcTarget {
  const node = { ...syntheticHost, hostname: host }
  const adopted = mappings.filter(route => adopts(node, route, true))
  // What is wrong within a group was said where a Host takes it; here it costs a member its place.
  const { routes: all } = finish(hostRoutes(adopted, { domain: host, model: 'SECURE', action: 'Route' }))
  const routes = all.flatMap(route => grpcRoute(route, name))
  const used = new Set(routes.flatMap(({ action }) => (action.kind === 'forward' ? [action.cluster] : [])))
  const clusters = adopted.flatMap(route => route.cluster ?? []).filter(cluster => used.has(cluster.name))
  return { name, routes, clusters: mergeClusters(clusters, new Memo()) }
}

/** Every pool is dialled with the time limit of the call alone. */
function poolTarget(name: string, lookups: Lookups): IrGrpcTarget | undefined {
  const service = name.includes('/') ? '' : parseServiceName(name)
  if (typeof service === 'string' || service.isAddress || !service.name.includes('.')) return undefined
  // Both are asked about, whichever is known, so that the answer changes when one of them appears.
  const [key] = servicesOf(service.name, '').filter(one => lookups.has(one))
  if (key === undefined) return undefined
  const cluster = clusterOf(key, service.port)
  const match: IrMatch = { path: { kind: 'prefix', value: '/', caseSensitive: true }, headers: [], query: [] }
  return { name, routes: [{ match, action: { kind: 'forward', cluster: cluster.name, timeoutMs: 0 }, origins: [] }], clusters: [cluster] }
}

/** Reads the name that `clusterOf` gave. */
function poolCluster(name: string, lookups: Lookups): IrCluster | undefined {
  const [, namespace = '', service = '', port] = /^([^/|:]+)\/([^/|:]+)(?::([A-Za-z0-9_-]+))?$/.exec(name) ?? []
  const key = serviceKey(namespace, service)
  if (namespace === '' || !lookups.has(key)) return undefined
  return clusterOf(key, port !== undefined && /^[0-9]+$/.test(port) ? Number(port) : port)
}

function clusterOf(service: ServiceKey, port: number | string | undefined): IrCluster {
  const spec = assignment(service, port, { kind: 'all' })
  return {
    kind: 'eds',
    name: spec.name,
    assignment: spec,
    statName: statName(spec.name),
    loadBalancing: 'round_robin',
    connectTimeoutMs: 3000,
    origins: [],
  }
}

/** What of a route is left for gRPC requests to `authority`: what they all have in common is decided here, as gRPC cannot (gRFC A28). */
function grpcRoute(route: IrRoute, authority: string): readonly IrRoute[] {
  const { headers, query } = route.match
  // A gRPC request has no query.
  if (query.some(one => one.kind !== 'present' || one.invert !== true)) return []
  const pseudo: Readonly<Record<string, string>> = { ':authority': authority, ':method': 'POST' }
  const open = headers.filter(one => pseudo[one.name] === undefined)
  if (headers.some(one => pseudo[one.name] !== undefined && !fulfils(pseudo[one.name] ?? '', one))) return []
  // Nor can it look at the others: a condition that nobody can check is not fulfilled.
  if (open.some(one => one.name.startsWith(':'))) return []
  return [{ ...route, match: { ...route.match, headers: open, query: [] } }]
}

function fulfils(value: string, { kind, value: wanted, invert = false }: IrValueMatch): boolean {
  const found = kind === 'present' || (kind === 'exact' ? value === wanted : RE2JS.matches(wanted, value))
  return found !== invert
}
