import type { IrRoute, RouteTable } from '../ir/route-table.ts'
import type { Manifest } from '../manifests/object.ts'
import { type ObjectRef, refText } from '../model/object-ref.ts'

/**
 * What every object became, by `refText`: the parts of the configuration that are made of it, as lines, in the order of the configuration.
 * Objects that only shape what others become (a Module, a resolver, a TLSContext) have no line.
 * @param objects those that serve: parts that several share name only one of them
 */
export function became(table: RouteTable, objects: readonly Manifest[]): ReadonlyMap<string, readonly string[]> {
  const lines = new Map<string, string[]>()
  const add = (ref: ObjectRef, line: string): void => {
    const known = lines.get(refText(ref))
    if (known === undefined) lines.set(refText(ref), [line])
    else if (!known.includes(line)) known.push(line)
  }
  for (const { name, origin } of table.listeners) add(origin, `listener ${name}`)
  for (const config of table.routeConfigs)
    for (const { name, routes } of config.virtualHosts)
      for (const [order, route] of routes.entries())
        for (const origin of route.origins)
          add(origin, `route ${String(order)} of virtual host ${name} in ${config.name}: ${routeText(route)}`)
  for (const { name, origins } of table.clusters) for (const origin of origins) add(origin, `cluster ${name}`)
  const { auth, rateLimits, logs, tracing } = table.http
  for (const { filter, origin } of [...auth, ...rateLimits]) add(origin, `filter ${filter} of every HTTP listener`)
  for (const { name, origin } of logs) add(origin, `access log ${name} of every HTTP listener`)
  if (tracing !== undefined) add(tracing.origin, `tracing by ${tracing.collector.kind} of every HTTP listener`)
  for (const { ref, spec } of objects) for (const line of shared(table, ref, spec)) add(ref, line)
  return lines
}

function routeText({ match: { path, percent }, action }: IrRoute): string {
  const share = percent === undefined ? '' : `, up to ${String(percent)} % of the requests`
  const target = action.kind === 'forward' ? `to cluster ${action.cluster}` : action.kind
  return `${path.kind} ${path.value}${share}, ${target}`
}

/** What an object shares with others. */
function shared({ routeConfigs, listeners, clusters, secrets }: RouteTable, ref: ObjectRef, spec: unknown): readonly string[] {
  const place = `${ref.namespace}/${ref.name}`
  switch (ref.kind) {
    case 'Host': {
      const domain = hostname(spec)
      const hosts = routeConfigs.flatMap(({ name, virtualHosts }) =>
        virtualHosts.filter(({ domains }) => domains.includes(domain)).map(host => `virtual host ${host.name} in ${name}`),
      )
      const chains = listeners.flatMap(listener =>
        listener.chains
          .filter(
            ({ tls, serverNames }) => tls !== undefined && (serverNames.includes(domain) || (domain === '*' && serverNames.length === 0)),
          )
          .map(chain => `TLS chain ${chain.name} of listener ${listener.name}`),
      )
      return [...hosts, ...chains]
    }
    case 'TCPMapping': {
      const { port, host } = spec as { port?: unknown; host?: unknown }
      const chain = `tcp|${typeof host === 'string' ? host.toLowerCase() : ''}`
      return listeners
        .filter(listener => listener.port === port && listener.chains.some(({ name }) => name === chain))
        .map(({ name }) => `connections of listener ${name}`)
    }
    case 'ServicePool':
      return clusters
        .filter(cluster => cluster.kind === 'eds' && cluster.assignment.service === place)
        .map(({ name }) => `pool ${place} of cluster ${name}`)
    case 'Secret':
      return secrets.filter(({ name }) => name.split('|').includes(place)).map(({ name }) => `secret ${name}`)
    default:
      return []
  }
}

/** Of a Host: without its port, which only its requests have. */
function hostname(spec: unknown): string {
  const given = (spec as { hostname?: unknown }).hostname
  return typeof given === 'string' ? given.toLowerCase().replace(/:\d+$/, '') : '*'
}
