import { compileSteps } from '../compile/emissary/compile.ts'
import { CompileMemo } from '../compile/emissary/compile-memo.ts'
import type { CompileInput, CompileResult } from '../compile/emissary/input.ts'
import type { Clock, SourceLog } from '../discovery/contract.ts'
import type { RouteTable } from '../ir/route-table.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { Steps } from '../model/steps.ts'
import type { IsTentative } from '../reconcile/assignments.ts'
import { OnDemand } from '../reconcile/on-demand.ts'
import { Reconciler } from '../reconcile/reconciler.ts'
import { defaultBounds, Scheduler } from '../reconcile/scheduler.ts'
import { sharedAssignments } from '../reconcile/shared.ts'
import { systemTimers } from '../reconcile/timers.ts'
import type { EndpointTable } from '../table/endpoint-table.ts'
import { ResourceCache } from '../xds/cache.ts'
import { generateAssignment } from '../xds/generate/assignment.ts'
import type { NodeIdentity } from '../xds/request.ts'
import type { TableKnowledge } from './table-knowledge.ts'
import { Views } from './views.ts'

export interface ServingGiven {
  /** `ambassadorId` of the settings. */
  readonly ids: readonly string[]
  readonly table: EndpointTable
  readonly knowledge: TableKnowledge
  readonly clock: Clock
  readonly log: SourceLog
  readonly isTentative: IsTentative
  /** All that a compilation is made of, as it is now. */
  /** Is done before the input is asked for, in steps. */
  readonly prepare: () => Steps<void>
  readonly input: () => CompileInput
  /** Is called right before what was compiled is published, for what must change together with it. */
  readonly adopt: (compiled: CompileResult, objects: CompileInput['objects']) => void
  /** Takes the services that routes or clients ask for. */
  readonly want: (services: readonly ServiceKey[]) => void
  /** Adds the sources that objects ask for. */
  readonly request: (compiled: CompileResult) => Promise<void>
}

/** From the endpoint table and the objects to the caches of resources: who is told of a change, in which order, and what a defect stops. */
export class Serving {
  /** What every client is served that has no view of its own. */
  readonly cache: ResourceCache
  readonly #given: ServingGiven
  readonly #onDemand: OnDemand
  readonly #reconciler: Reconciler<CompileResult & { readonly objects: CompileInput['objects'] }>
  readonly #views: Views
  readonly #scheduler: Scheduler
  /** Certificates come to their end without an event, and objects say so. */
  readonly #hourly = setInterval(() => this.structureChanged(), 3_600_000).unref()
  #compiled: CompileResult | undefined
  #requested: Promise<void> = Promise.resolve()

  constructor(given: ServingGiven) {
    this.#given = given
    const { ids, table, knowledge, clock, log, isTentative, prepare, input } = given
    this.cache = new ResourceCache({
      clock,
      names: {
        asked: key =>
          this.#contained(() => {
            this.#onDemand.asked(key)
            this.#want()
          }),
        unasked: key => this.#contained(() => this.#onDemand.unasked(key)),
      },
    })
    this.#onDemand = new OnDemand({ table, cache: this.cache, isTentative })
    const memo = new CompileMemo()
    const generate = ids.length > 1 ? sharedAssignments() : generateAssignment
    this.#reconciler = new Reconciler({
      ...{ table, cache: this.cache, isTentative, generate, now: () => clock.now() },
      *compile() {
        yield* prepare()
        const now = input()
        return { ...(yield* compileSteps(now, memo)), objects: now.objects }
      },
      adopt: result => {
        this.#compiled = result
        given.adopt(result, result.objects)
      },
      report: text => log.error({ problem: text }, 'a defect made a dangling reference, please report it; what was served before stays'),
    })
    this.#views = new Views({ ids, table, clock, isTentative, generate, input })
    this.#scheduler = new Scheduler(systemTimers, defaultBounds, {
      endpoints: () => table.settle(),
      structure: () => this.#flushStructure(),
    })
    table.onChange(change => {
      const learned = knowledge.learn(change)
      this.#onDemand.onTableChange(change)
      const structural = this.#reconciler.onTableChange(change) || learned
      if (this.#views.onTableChange(change) || structural) this.structureChanged()
    })
  }

  /** The resources for a client: those of its view, if it has one. */
  cacheOf(node: NodeIdentity): ResourceCache {
    return this.#views.of(node) ?? this.cache
  }

  /** What is served now. */
  get routeTable(): RouteTable {
    return this.#reconciler.routeTable
  }

  /** What clients asked for by name, beside the routes. */
  get dynamicAssignments(): OnDemand['assignments'] {
    return this.#onDemand.assignments
  }

  /** Settles when the sources that the last compilation asked for have been added. */
  get requested(): Promise<void> {
    return this.#requested
  }

  endpointsChanged(): void {
    this.#scheduler.endpointsChanged()
  }

  structureChanged(): void {
    this.#scheduler.structureChanged()
  }

  /** Resolves when all that changed until now is published. */
  flush(): Promise<void> {
    return this.#scheduler.flushStructureNow()
  }

  /** The last compilation, of everything as it is now; undefined while there was none, for a defect. */
  async compiled(): Promise<CompileResult | undefined> {
    await this.flush()
    return this.#compiled
  }

  /** Sources have told more than before: what was tentative may be firm now. */
  confirm(): void {
    this.#reconciler.confirm()
    this.#views.confirm()
    this.#onDemand.confirm()
  }

  /** Publishes nothing from now on. */
  stop(): void {
    clearInterval(this.#hourly)
    this.#scheduler.stop()
  }

  /** Frees the views, when no client is connected any more. */
  close(): void {
    this.#views.close()
  }

  *#flushStructure(): Steps<void> {
    try {
      const again = yield* this.#reconciler.flushStructure()
      if (this.#compiled === undefined) return
      if ((yield* this.#views.flushStructure()) || again) this.structureChanged()
      this.#onDemand.follow(this.#compiled.grpc)
      this.#want()
      this.#requested = this.#given.request(this.#compiled)
    } catch (error) {
      this.#defect(error)
    }
  }

  #want(): void {
    const asked = this.#onDemand.assignments.map(one => one.service)
    this.#given.want([...this.#reconciler.assignments.keys(), ...this.#views.services(), ...asked])
  }

  /** A defect of ours must not reach the client whose request led to it: what was served before goes on being served (xds.md L2). */
  #contained(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#defect(error)
    }
  }

  #defect(error: unknown): void {
    this.#given.log.error({ error }, 'a defect stopped a compilation, please report it; what was served before stays')
  }
}
