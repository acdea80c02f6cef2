import type { RouteTable } from '../../ir/route-table.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import type { PoolView } from '../../table/reader.ts'
import { decodeMessage } from '../codec.ts'
import type { Resource } from '../resource.ts'
import { type ResourceType, typeUrls } from '../type-urls.ts'
import { generateAssignment } from './assignment.ts'
import { generateStructure } from './structure.ts'

/** What an Envoy would get, as JSON that Envoy itself reads. */
export interface EnvoyConfiguration {
  readonly listeners: readonly object[]
  readonly routes: readonly object[]
  readonly clusters: readonly object[]
  readonly endpoints: readonly object[]
  readonly runtime: readonly object[]
}

/** Decodes the very bytes that would be sent; `pool` gives a service's endpoints, or undefined where none are known. */
export function translate(table: RouteTable, pool: (service: ServiceKey) => PoolView | undefined): EnvoyConfiguration {
  const structure = generateStructure(table)
  const specs = new Map(table.clusters.flatMap(one => (one.kind === 'eds' ? [[one.assignment.name, one.assignment] as const] : [])))
  const assignments = [...specs.values()].map(spec => generateAssignment(spec, pool(spec.service)))
  return {
    listeners: decoded('listener', structure),
    routes: decoded('route', structure),
    clusters: decoded('cluster', structure),
    endpoints: decoded('endpoint', assignments),
    runtime: decoded('runtime', structure),
  }
}

function decoded(type: ResourceType, resources: readonly Resource[]): object[] {
  return resources.filter(one => one.type === type).map(one => snakeCase(decodeMessage(messageName(type), one.bytes)) as object)
}

function messageName(type: ResourceType): string {
  return typeUrls[type].slice(typeUrls[type].indexOf('/') + 1)
}

/** Field names as Envoy's documentation and config dump write them. Keys that are no field names (`@type`, names of extensions) stay. */
function snakeCase(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(snakeCase)
  if (typeof json !== 'object' || json === null) return json
  const named = (key: string) => (/^[a-z][A-Za-z0-9_]*$/.test(key) ? key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`) : key)
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [named(key), snakeCase(value)]))
}
