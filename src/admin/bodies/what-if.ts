import type { ObjectStatus } from '../../manifests/status.ts'
import type { Difference, PlacedEndpoint } from '../../what-if/difference.ts'
import type { Consequences } from '../../what-if/what-if.ts'
import type { StageBody, WhatIfBody } from '../what-if-schemas.ts'
import type { TrafficChange } from '../../what-if/traffic.ts'
import { routeBodyOf } from './route.ts'

/** Consequences as the API shows them; no list is longer than `limit`. */
export function whatIfBodyOf({ stages, notes }: Consequences, revision: number, limit: number): WhatIfBody {
  return {
    revision,
    stages: stages.map(({ code, texts, difference }) => ({ code, texts: [...texts], ...differenceOf(difference, limit) })),
    notes: [...notes],
  }
}

function differenceOf(difference: Difference, limit: number): Omit<StageBody, 'code' | 'texts'> {
  const { endpoints, endpointCounts, traffic, clusters, routes, listeners, objects, findings } = difference
  const lists = { endpoints, traffic, clusters, routes, listeners, objects }
  return {
    differs: Object.values(lists).some(list => list.length > 0),
    counts: {
      endpoints: { ...endpointCounts },
      traffic: counted(traffic),
      clusters: counted(clusters),
      routes: counted(routes),
      listeners: counted(listeners),
      objects: counted(objects),
    },
    endpoints: endpoints
      .slice(0, limit)
      .map(({ service, before, after }) => ({ service, before: endpointOf(before), after: endpointOf(after) })),
    traffic: traffic.slice(0, limit).map(trafficOf),
    clusters: clusters.slice(0, limit).map(named),
    routes: routes.slice(0, limit).map(({ fields, before, after }) => ({
      fields: [...fields],
      before: before === undefined ? null : routeBodyOf(before),
      after: after === undefined ? null : routeBodyOf(after),
    })),
    listeners: listeners.slice(0, limit).map(named),
    objects: objects.slice(0, limit).flatMap(({ before, after }) => {
      const ref = (after ?? before)?.ref
      if (ref === undefined) return []
      return [{ kind: ref.kind, namespace: ref.namespace, name: ref.name, before: verdictOf(before), after: verdictOf(after) }]
    }),
    findings: findings.slice(0, limit).map(one => ({ ...one })),
  }
}

function named(change: Difference['clusters'][number] | Difference['listeners'][number]): StageBody['clusters'][number] {
  const { name, before, after, fields } = change
  return { name, change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed', fields: [...fields] }
}

function counted(changes: readonly { readonly before: unknown; readonly after: unknown }[]): StageBody['counts']['endpoints'] {
  const added = changes.filter(one => one.before === undefined).length
  const removed = changes.filter(one => one.after === undefined).length
  return { added, removed, changed: changes.length - added - removed }
}

function endpointOf(endpoint: PlacedEndpoint | undefined): StageBody['endpoints'][number]['before'] {
  if (endpoint === undefined) return null
  const { member, ...rest } = endpoint
  const reasons = rest.reasons.map(reason => ({ ...reason }))
  return { ...rest, sources: [...rest.sources], reasons, ...(member === undefined ? {} : { member }) }
}

function trafficOf({ name, service, before, after }: TrafficChange): StageBody['traffic'][number] {
  const side = (load: TrafficChange['before']) => (load === undefined ? null : { endpoints: load.endpoints, used: load.used })
  return { name, service, before: side(before), after: side(after), shares: sharesOf(before, after) }
}

/** By source always; by member, zone and priority where either side has them. */
function sharesOf(before: TrafficChange['before'], after: TrafficChange['after']): StageBody['traffic'][number]['shares'] {
  const parts = [
    ['source', before?.bySource, after?.bySource],
    ['member', before?.byMember, after?.byMember],
    ['zone', before?.byZone, after?.byZone],
    ['priority', before?.byPriority, after?.byPriority],
  ] as const
  return parts.flatMap(([by, old, now]) =>
    [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])]
      .sort()
      .map(name => ({ by, name, before: old?.get(name) ?? 0, after: now?.get(name) ?? 0 })),
  )
}

function verdictOf(status: ObjectStatus | undefined): StageBody['objects'][number]['before'] {
  if (status === undefined) return null
  const notices = [...status.notices, ...(status.unserved === undefined ? [] : [status.unserved])]
  return { state: status.state, problems: status.problems.map(problem => ({ ...problem })), notices }
}
