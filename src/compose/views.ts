import { compileSteps } from '../compile/emissary/compile.ts'
import { CompileMemo } from '../compile/emissary/compile-memo.ts'
import type { CompileInput } from '../compile/emissary/input.ts'
import { isFor } from '../manifests/check.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { Steps } from '../model/steps.ts'
import type { IsTentative } from '../reconcile/assignments.ts'
import { type Compiled, Reconciler } from '../reconcile/reconciler.ts'
import type { generateAssignment } from '../xds/generate/assignment.ts'
import type { TableChange, TableReader } from '../table/reader.ts'
import { ResourceCache } from '../xds/cache.ts'
import type { NodeIdentity } from '../xds/request.ts'

export interface ViewsGiven {
  /** `ambassadorId` of the settings: with several, each is a gateway of its own beside the one of all. */
  readonly ids: readonly string[]
  readonly table: TableReader
  readonly clock: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
  readonly isTentative: IsTentative
  /** Shared by all views, so that endpoints are encoded once. */
  readonly generate: typeof generateAssignment
  /** Of all objects. */
  readonly input: () => CompileInput
}

interface OneView {
  readonly cache: ResourceCache
  readonly reconciler: Reconciler
}

/**
 * One control plane for several gateways (xds.md L9): an Envoy whose `node.cluster` is one of our ambassador ids is served the objects of
 * that id alone, its own listeners and routes; every other client is served everything that is ours, as always. Statuses of objects, the
 * API and proxyless gRPC are those of everything. With a single id there are no further views, and this costs nothing.
 */
export class Views {
  readonly #views: ReadonlyMap<string, OneView>

  constructor({ ids, table, clock, isTentative, generate, input }: ViewsGiven) {
    const view = (id: string): OneView => {
      const cache = new ResourceCache({ clock })
      const memo = new CompileMemo()
      const reconciler = new Reconciler<Compiled>({
        ...{ table, cache, isTentative, generate, now: () => clock.now() },
        compile: () => {
          const all = input()
          const objects = all.objects.filter(({ manifest }) => isFor(manifest, [id]))
          return compileSteps({ ...all, objects, hostsDeclared: objects.some(({ manifest }) => manifest.kind === 'Host') }, memo)
        },
      })
      return { cache, reconciler }
    }
    this.#views = new Map(ids.length < 2 ? [] : ids.map(id => [id, view(id)]))
  }

  /** The view of a client that has one of its own. gRPC clients ask for names that only the view of everything makes. */
  of({ cluster, userAgent }: NodeIdentity): ResourceCache | undefined {
    return userAgent.startsWith('gRPC') ? undefined : this.#views.get(cluster)?.cache
  }

  /** As Reconciler.flushStructure, for each. Call it after pools were settled. */
  *flushStructure(): Steps<boolean> {
    let again = false
    for (const { reconciler } of this.#views.values()) again = (yield* reconciler.flushStructure()) || again
    return again
  }

  /** As Reconciler.onTableChange. */
  onTableChange(change: TableChange): boolean {
    let structural = false
    for (const { reconciler } of this.#views.values()) structural = reconciler.onTableChange(change) || structural
    return structural
  }

  /** As Reconciler.confirm. */
  confirm(): void {
    for (const { reconciler } of this.#views.values()) reconciler.confirm()
  }

  /** Services that routes of some view refer to. */
  *services(): Iterable<ServiceKey> {
    for (const { reconciler } of this.#views.values()) yield* reconciler.assignments.keys()
  }

  close(): void {
    for (const { cache } of this.#views.values()) cache.close()
  }
}
