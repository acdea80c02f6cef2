import type { RouteTable } from '../ir/route-table.ts'
import { type ObjectRef, refText } from '../model/object-ref.ts'
import { decodeMessage } from '../xds/codec.ts'
import type { Resource } from '../xds/resource.ts'

/** What an Envoy refused, what it has instead if that is known, and what it said. */
export interface Refused {
  readonly refused: Resource
  readonly acked: Resource | undefined
  readonly text: string
}

/**
 * The objects that an Envoy's refusal is about: those a refused listener or cluster was made of, and the Module if the text speaks of its file or its
 * script; of a refused route configuration, which is made of
 * many, those whose routes differ from what the Envoy has, or, if its text quotes the regular expression of a route, those with that route. Empty for
 * what no object asked for. `table`: the one that the refused resource was made of.
 */
export function blamedObjects({ refused, acked, text }: Refused, table: RouteTable): readonly ObjectRef[] {
  switch (refused.type) {
    case 'listener':
      return [...moduleAtFault(text, table.http), ...table.listeners.filter(one => one.name === refused.name).map(one => one.origin)]
    case 'cluster':
      return table.clusters.find(one => one.name === refused.name)?.origins ?? []
    case 'route':
      return routeOrigins(refused, acked, text, table)
    default:
      return []
  }
}

/** A file that this Envoy cannot open, or a script that none can read, stands in every listener, and in one object. */
function moduleAtFault(text: string, { options, optionsOrigin }: RouteTable['http']): readonly ObjectRef[] {
  const to = options.accessLog?.to
  const named = (typeof to === 'object' && text.includes(to.file)) || (options.lua !== undefined && text.includes('script load error'))
  return named && optionsOrigin !== undefined ? [optionsOrigin] : []
}

function routeOrigins(refused: Resource, acked: Resource | undefined, text: string, table: RouteTable): readonly ObjectRef[] {
  const routes = table.routeConfigs.filter(one => one.name === refused.name).flatMap(one => one.virtualHosts.flatMap(host => host.routes))
  const quoted = routes.filter(({ match: { path } }) => path.kind === 'regex' && text.includes(path.value))
  if (quoted.length > 0) return distinct(quoted.flatMap(route => route.origins))
  const known = new Set(acked === undefined ? [] : routesOf(acked).map(route => JSON.stringify(route)))
  // A route's name is the text of the objects it was made of (generate/route-config.ts).
  const names = new Set(routesOf(refused).flatMap(route => (known.has(JSON.stringify(route)) ? [] : [String(route['name'])])))
  return distinct(routes.filter(({ origins }) => names.has(origins.map(refText).join(', '))).flatMap(route => route.origins))
}

function routesOf({ bytes }: Resource): readonly Readonly<Record<string, unknown>>[] {
  const { virtualHosts = [] } = decodeMessage('envoy.config.route.v3.RouteConfiguration', bytes) as {
    virtualHosts?: readonly { routes?: readonly Readonly<Record<string, unknown>>[] }[]
  }
  return virtualHosts.flatMap(host => host.routes ?? [])
}

function distinct(refs: readonly ObjectRef[]): readonly ObjectRef[] {
  return [...new Map(refs.map(ref => [refText(ref), ref])).values()]
}
