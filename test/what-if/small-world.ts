import { compileSteps } from '../../src/compile/emissary/compile.ts'
import type { CompileResult } from '../../src/compile/emissary/input.ts'
import { parseManifests } from '../../src/manifests/parse.ts'
import { ManifestStore } from '../../src/manifests/store.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { Override } from '../../src/model/override.ts'
import { finish, type Steps } from '../../src/model/steps.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { addressKey } from '../../src/table/finish-pool.ts'
import type { TableReader } from '../../src/table/reader.ts'
import { type Difference, difference } from '../../src/what-if/difference.ts'
import type { Reality } from '../../src/what-if/imagine.ts'
import type { World } from '../../src/what-if/world.ts'
import { type Consequences, type Question, whatIf } from '../../src/what-if/what-if.ts'

export const types = { dc1: 'consul', vms: 'vm', files: 'file' } as const
export type SourceName = keyof typeof types

/** One instance: `10.0.0.N:80` of a service. */
export interface Instance {
  readonly source: SourceName
  readonly service: string
  readonly host: number
  readonly health?: 'healthy' | 'unhealthy' | 'draining'
  readonly tags?: readonly string[]
  readonly zone?: string
}

/** The parts of a gateway that what-if copies, with nothing around them. */
export class SmallWorld {
  readonly table: EndpointTable = new EndpointTable(() => undefined, {
    now: () => 0,
    after: () => () => undefined,
    overrides: service => {
      const own = this.overrides.filter(one => one.service === service)
      return own.length === 0 ? undefined : new Map(own.map(one => [addressKey(one), one]))
    },
  })
  readonly store = new ManifestStore(['default'])
  readonly #run = this.store.begin('files')
  overrides: readonly Override[] = []
  #compiled: CompileResult

  constructor(instances: readonly Instance[], manifests: string) {
    for (const source of Object.keys(types) as SourceName[]) {
      const own = instances.filter(one => one.source === source)
      const groups = [...Map.groupBy(own, one => one.service)].map(([service, list]) => ({
        id: service,
        service: serviceKey('default', service),
        endpoints: list.map(({ host, health = 'healthy', tags = [], zone = '' }) =>
          makeEndpoint({
            address: `10.0.0.${host}`,
            port: 80,
            id: `${source}-${host}`,
            health,
            tags,
            locality: { region: '', zone, subzone: '' },
          }),
        ),
      }))
      this.table.apply({ name: source, type: types[source] }, groups, 0)
    }
    this.table.settle()
    this.write({ 'a.yaml': manifests })
    this.#compiled = this.compile()
  }

  /** Replaces files, as an editor would. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [file, text] of Object.entries(files)) {
      const { objects, problems } = parseManifests(text, { file, namespace: 'default' })
      this.#run.emit([{ id: file, objects, problems }])
    }
    this.#compiled = this.compile()
  }

  override(list: readonly Override[]): void {
    const services = [...this.overrides, ...list].map(one => one.service)
    this.overrides = list
    this.table.overridesChanged(services, 0)
    this.table.settle()
  }

  /** The first minute of it: agents' leases go on meanwhile. */
  lose(source: SourceName, state: 'down' | 'gone'): void {
    if (state === 'gone') this.table.prune(source, new Set(), 0)
    else if (types[source] !== 'vm') this.table.setStale(source, true, 0)
    this.table.settle()
  }

  compile(): CompileResult {
    const result = finish(this.#stepsOf(this.store, this.table))
    this.store.settle(this.store.objects(), result)
    this.table.follow(result.pools, 0)
    this.table.settle()
    return result
  }

  get reality(): Reality {
    return {
      ...{ table: this.table, store: this.store, compiled: this.#compiled, overrides: this.overrides, dynamic: [] },
      compile: (store, table) => this.#stepsOf(store, table),
    }
  }

  get now(): World {
    const pools = new Map(Array.from(this.table.pools(), pool => [pool.service, pool]))
    return { pools, routes: this.#compiled.table, dynamic: [], objects: this.store.statuses() }
  }

  ask(question: Partial<Question>): Consequences {
    return finish(whatIf(this.reality, { files: [], without: [], overrides: [], unset: [], sources: [], most: 1000, ...question }))
  }

  #stepsOf(store: ManifestStore, table: TableReader): Steps<CompileResult> {
    return compileSteps({
      objects: store.objects(),
      hostsDeclared: store.hostsDeclared,
      known: { has: service => table.pool(service) !== undefined, hasNamespace: namespace => namespace === 'default' },
      consulSources: [],
      sources: Object.entries(types).map(([name, type]) => ({ name, type, namespace: 'default', datacenter: undefined })),
    })
  }
}

/** What differs, without who says so. */
export function between(before: World, after: World): Difference {
  return finish(difference(before, after, { most: 1000 }))
}

export function isNone({
  endpointCounts: { added, removed, changed },
  traffic,
  clusters,
  routes,
  listeners,
  objects,
  findings,
}: Difference): boolean {
  return added + removed + changed === 0 && [traffic, clusters, routes, listeners, objects, findings].every(list => list.length === 0)
}

const api = 'getambassador.io/v3alpha1'
export const base = `apiVersion: ${api}
kind: Listener
metadata: {name: http}
spec: {port: 8080, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}
---
apiVersion: ${api}
kind: Host
metadata: {name: any}
spec: {hostname: "*", requestPolicy: {insecure: {action: Route}}}
`

export function mapping(name: string, spec: string): string {
  return `---\napiVersion: ${api}\nkind: Mapping\nmetadata: {name: ${name}}\nspec: {hostname: "*", ${spec}}\n`
}

export function pool(name: string, spec: string): string {
  return `---\napiVersion: isthmus.dev/v1alpha1\nkind: ServicePool\nmetadata: {name: ${name}}\nspec: {${spec}}\n`
}

export function override(change: Partial<Override> & Pick<Override, 'action'>): Override {
  return { id: 'o1', service: serviceKey('default', 'web'), address: '10.0.0.1', port: 80, reason: 'test', actor: 'test', ...change }
}
