import type { AssignmentSpec } from '../ir/assignment.ts'
import { assignmentSpecs } from '../ir/assignment-specs.ts'
import { emptyRouteTable, type RouteTable } from '../ir/route-table.ts'
import { type ServiceKey, splitServiceKey } from '../model/service-key.ts'
import type { Steps } from '../model/steps.ts'
import type { TableChange, TableReader } from '../table/reader.ts'
import type { ResourceCache } from '../xds/cache.ts'
import { generateAssignment } from '../xds/generate/assignment.ts'
import { structureSteps } from '../xds/generate/structure.ts'
import { keyText, type Resource, type ResourceKey } from '../xds/resource.ts'
import { Assignments, type IsTentative } from './assignments.ts'
import { hasNewPeers } from './new-peers.ts'
import { withoutDangling } from './references.ts'

export interface ReconcilerGiven<C extends Compiled> {
  readonly table: TableReader
  readonly cache: Pick<ResourceCache, 'patch'>
  /** Manifests and known services → what is to be served; pure but for what it reads. */
  readonly compile: () => Steps<C>
  /** Is called right before what was compiled is published, for what must change together with it. */
  readonly adopt?: (compiled: C) => void
  readonly now: () => number
  /** Whether an assignment may lack what some source has not told yet; default: never. */
  readonly isTentative?: IsTentative
  /** Makes an assignment; default: `generateAssignment`. */
  readonly generate?: typeof generateAssignment
  /** Is told of what was not published because it names what does not exist (xds.md O9): a defect of ours. */
  readonly report?: (text: string) => void
}

export interface Compiled {
  readonly table: RouteTable
  /** Names that were looked for and are unknown: when one appears, compile again. */
  readonly lookups: { readonly services: ReadonlySet<ServiceKey>; readonly namespaces: ReadonlySet<string> }
}

/**
 * Turns changes into resources. The fast path (`onTableChange`) touches only the assignments of the pools that changed; the slow path
 * (`flushStructure`) compiles everything and publishes what differs (DESIGN.md, the pipeline).
 */
export class Reconciler<C extends Compiled = Compiled> {
  readonly #given: ReconcilerGiven<C>
  #compiled: Compiled = { table: emptyRouteTable, lookups: { services: new Set(), namespaces: new Set() } }
  #specs = new Map<string, AssignmentSpec>()
  #specsByService = new Map<ServiceKey, AssignmentSpec[]>()
  #structure: ReadonlyMap<string, Resource> = new Map()
  /** Assignments that stay as they are until the next flush, which lets their clusters reach what their pools have since. */
  readonly #held = new Set<string>()
  /** Services that became known while a flush is under way. */
  #appeared: ServiceKey[] | undefined

  readonly #made: Assignments

  constructor(given: ReconcilerGiven<C>) {
    this.#given = given
    this.#made = new Assignments(given.generate ?? generateAssignment, given.isTentative)
  }

  /** What is served now. */
  get routeTable(): RouteTable {
    return this.#compiled.table
  }

  /** Services that routes refer to, each with the assignments made of it. */
  get assignments(): ReadonlyMap<ServiceKey, readonly AssignmentSpec[]> {
    return this.#specsByService
  }

  /** The fast path. Gives true when the change also calls for `flushStructure`: a service that routes looked for became known. */
  onTableChange(change: TableChange): boolean {
    const upsert: Resource[] = []
    let structural = false
    for (const { before, after } of change.pools) {
      for (const spec of this.#specsByService.get(after.service) ?? []) {
        if (this.#held.has(spec.name) || hasNewPeers(spec, before, after)) {
          this.#held.add(spec.name)
          structural = true
        } else upsert.push(this.#made.make(spec, after))
      }
      if (before !== undefined) continue
      structural ||= this.#wasLookedFor(after.service)
      this.#appeared?.push(after.service)
    }
    if (upsert.length > 0) this.#given.cache.patch({ upsert, remove: [] }, change.receivedAt)
    return structural
  }

  /** Sources have told more than before: what was tentative may be firm now. */
  confirm(): void {
    const upsert = this.#made.again(service => this.#given.table.pool(service))
    if (upsert.length > 0) this.#given.cache.patch({ upsert, remove: [] })
  }

  #wasLookedFor(service: ServiceKey): boolean {
    const { services, namespaces } = this.#compiled.lookups
    return services.has(service) || namespaces.has(splitServiceKey(service).namespace)
  }

  /**
   * The slow path: compiles all manifests, in steps, and publishes in one patch, after the last one, what is new, different or gone. Gives true when
   * it calls for another: a service that was looked for became known meanwhile.
   */
  *flushStructure(): Steps<boolean> {
    const receivedAt = this.#given.now()
    this.#appeared = []
    const held = new Set(this.#held)
    const compiled = yield* this.#given.compile()
    const made = yield* structureSteps(compiled.table)
    const wanted = new Map(made.map(resource => [keyText(resource), resource]))
    this.#given.adopt?.(compiled)
    this.#compiled = compiled
    const specs = assignmentSpecs(this.#compiled.table.clusters)
    const { serve, dangling } = withoutDangling(wanted, this.#structure, name => specs.has(name) || this.#specs.has(name))
    for (const { resource, missing } of dangling)
      this.#given.report?.(`${resource.type} ${resource.name} names ${missing.type} ${missing.name}, which does not exist: not published`)
    if (dangling.length > 0) for (const { requires } of serve.values()) for (const key of requires) this.#keepSpec(key, specs)
    const upsert = [...serve].flatMap(([key, resource]) => (this.#structure.get(key) === resource ? [] : resource))
    for (const spec of specs.values()) {
      // An assignment whose rule did not change follows its pool by the fast path alone.
      if (!held.has(spec.name) && sameSpec(this.#specs.get(spec.name), spec)) continue
      upsert.push(this.#made.make(spec, this.#given.table.pool(spec.service)))
    }
    const remove: ResourceKey[] = []
    for (const [key, { type, name }] of this.#structure) if (!serve.has(key)) remove.push({ type, name })
    for (const name of this.#specs.keys()) {
      if (specs.has(name)) continue
      remove.push({ type: 'endpoint', name })
      this.#made.drop(name)
    }
    this.#structure = serve
    this.#specs = specs
    for (const name of held) this.#held.delete(name)
    this.#specsByService = Map.groupBy(specs.values(), spec => spec.service)
    this.#given.cache.patch({ upsert, remove }, receivedAt)
    const appeared = this.#appeared
    this.#appeared = undefined
    return appeared.some(service => this.#wasLookedFor(service))
  }

  /** A cluster that stays although nobody wants it any more keeps its endpoints. */
  #keepSpec({ type, name }: ResourceKey, specs: Map<string, AssignmentSpec>): void {
    const kept = type === 'endpoint' && !specs.has(name) ? this.#specs.get(name) : undefined
    if (kept !== undefined) specs.set(name, kept)
  }
}

function sameSpec(a: AssignmentSpec | undefined, b: AssignmentSpec): boolean {
  return a === b || (a !== undefined && JSON.stringify(a) === JSON.stringify(b))
}
