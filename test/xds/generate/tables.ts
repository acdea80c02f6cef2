import type { AssignmentSpec } from '../../../src/ir/assignment.ts'
import { noHttpServices } from '../../../src/ir/http-services.ts'
import type { IrForward } from '../../../src/ir/route-action.ts'
import type { IrCluster, IrListener, IrMatch, IrRoute, RouteTable } from '../../../src/ir/route-table.ts'
import type { ObjectRef } from '../../../src/model/object-ref.ts'
import { specOf } from './pools.ts'

export const origin: ObjectRef = { kind: 'Mapping', namespace: 'shop', name: 'web', at: 'web.yaml:1' }

export function listener(change: Partial<IrListener> = {}): IrListener {
  return {
    ...{ name: 'http', address: '0.0.0.0', port: 8080, statPrefix: 'ingress_http' },
    chains: [{ name: 'cleartext', serverNames: [], serve: { kind: 'http', routeConfig: 'http' } }],
    ...{ trustedHops: 0, securityModel: 'INSECURE', origin },
    ...change,
  }
}

/** A match of a path: `/x` by prefix, `=/x` exactly, `~/x` by regular expression. */
export function match(path: string, change: Partial<IrMatch> = {}): IrMatch {
  const kind = path.startsWith('=') ? 'exact' : path.startsWith('~') ? 'regex' : 'prefix'
  const value = kind === 'prefix' ? path : path.slice(1)
  return { path: { kind, value, caseSensitive: true }, headers: [], query: [], ...change }
}

export function forward(path: string | IrMatch, cluster: string, change: Partial<IrForward> = {}): IrRoute {
  return {
    match: typeof path === 'string' ? match(path) : path,
    action: { kind: 'forward', cluster, timeoutMs: 3000, ...change },
    origins: [origin],
  }
}

const clusterBase = { loadBalancing: 'round_robin', connectTimeoutMs: 3000, origins: [origin] } as const

/** A cluster by EDS, of the endpoints of `web` unless another assignment is given. */
export function edsCluster(
  name: string,
  change: Partial<Pick<IrCluster, 'statName' | 'loadBalancing' | 'connectTimeoutMs'>> & { readonly assignment?: AssignmentSpec } = {},
): IrCluster {
  return { ...clusterBase, name, statName: name, kind: 'eds', assignment: specOf({ name: `${name}-endpoints` }), ...change }
}

export function dnsCluster(name: string, host: string, port: number): IrCluster {
  return { ...clusterBase, name, statName: name, kind: 'strict_dns', host, port }
}

export function staticCluster(name: string, address: string, port: number): IrCluster {
  return { ...clusterBase, name, statName: name, kind: 'static', address, port }
}

/** One listener with the routes of one virtual host for all domains. */
export function tableOf(routes: readonly IrRoute[], clusters: readonly IrCluster[], listeners = [listener()]): RouteTable {
  return {
    listeners,
    routeConfigs: [{ name: 'http', virtualHosts: [{ name: 'all', domains: ['*'], routes, origin }] }],
    clusters,
    http: noHttpServices,
    secrets: [],
  }
}
