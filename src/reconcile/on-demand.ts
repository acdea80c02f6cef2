import type { AssignmentSpec } from '../ir/assignment.ts'
import type { GrpcNames } from '../ir/grpc-names.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { TableChange, TableReader } from '../table/reader.ts'
import type { AskedListener, ResourceCache } from '../xds/cache.ts'
import { generateGrpcCluster, generateGrpcTarget, grpcClusterOf, type GrpcResources } from '../xds/generate/grpc.ts'
import { generateGrpcAssignment } from '../xds/generate/grpc-assignment.ts'
import { keyText, type Resource, type ResourceKey } from '../xds/resource.ts'
import { Assignments, type IsTentative } from './assignments.ts'

export interface OnDemandGiven {
  readonly table: TableReader
  readonly cache: Pick<ResourceCache, 'patch'>
  /** As in the Reconciler. */
  readonly isTentative?: IsTentative
}

/** A name that clients ask for, and what it consists of at present: nothing, while it is unknown. */
interface Asked {
  readonly key: ResourceKey
  made: GrpcResources
}

const nothing: GrpcResources = { resources: [], assignments: [] }

/**
 * Keeps the resources that exist only while some client asks for them: those of proxyless gRPC. It is told of questions by the cache, of
 * every compilation and of every change of endpoints; the cost of each is that of the names concerned.
 */
export class OnDemand implements AskedListener {
  readonly #given: OnDemandGiven
  #names: GrpcNames = { target: () => undefined, cluster: () => undefined }
  readonly #asked = new Map<string, Asked>()
  /** Resource → how many asked names have it: targets share clusters. */
  readonly #uses = new Map<string, { readonly key: ResourceKey; count: number }>()
  readonly #specs = new Map<string, AssignmentSpec>()
  readonly #specsByService = new Map<ServiceKey, Map<string, AssignmentSpec>>()

  readonly #made: Assignments

  constructor(given: OnDemandGiven) {
    this.#given = given
    this.#made = new Assignments(generateGrpcAssignment, given.isTentative)
  }

  /** Of clusters that no route made but a client's question. */
  get assignments(): readonly AssignmentSpec[] {
    return [...this.#specs.values()]
  }

  /** Makes what a client asks for, if it is known. A cluster may be asked for before the target that leads to it. */
  asked(key: ResourceKey): void {
    if (key.type !== 'listener' && grpcClusterName(key) === undefined) return
    const asked = { key, made: nothing }
    this.#asked.set(keyText(key), asked)
    this.#publish([asked])
  }

  unasked(key: ResourceKey): void {
    const asked = this.#asked.get(keyText(key))
    if (asked === undefined) return
    this.#asked.delete(keyText(key))
    const remove: ResourceKey[] = []
    this.#swap(asked, nothing, [], remove)
    this.#patch([], remove)
  }

  /** After a compilation: makes everything that is asked for anew. */
  follow(names: GrpcNames): void {
    this.#names = names
    this.#publish(this.#asked.values())
  }

  /** The fast path, as in the Reconciler. */
  onTableChange(change: TableChange): void {
    const upsert: Resource[] = []
    for (const { after } of change.pools) {
      for (const spec of this.#specsByService.get(after.service)?.values() ?? []) upsert.push(this.#made.make(spec, after))
    }
    if (upsert.length > 0) this.#given.cache.patch({ upsert, remove: [] }, change.receivedAt)
  }

  /** As in the Reconciler. */
  confirm(): void {
    const upsert = this.#made.again(service => this.#given.table.pool(service))
    if (upsert.length > 0) this.#given.cache.patch({ upsert, remove: [] })
  }

  #publish(all: Iterable<Asked>): void {
    const upsert: Resource[] = []
    const remove: ResourceKey[] = []
    for (const asked of all) this.#swap(asked, this.#make(asked), upsert, remove)
    this.#patch(upsert, remove)
  }

  #make({ key, made }: Asked): GrpcResources {
    const clusterName = grpcClusterName(key)
    if (clusterName === undefined) {
      const target = this.#names.target(key.name)
      return target === undefined ? nothing : generateGrpcTarget(target)
    }
    const cluster = this.#names.cluster(clusterName)
    // A client lets go of a cluster after it took routes without it: until then its calls may be using it (xds.md O2, G3).
    return cluster === undefined ? made : generateGrpcCluster(cluster)
  }

  /** Puts `next` in the place of what a name consisted of. Assignments that are new, and resources, are to be put into the cache. */
  #swap(asked: Asked, next: GrpcResources, upsert: Resource[], remove: ResourceKey[]): void {
    for (const key of [...next.resources, ...next.assignments.map(endpointKey)]) {
      const use = this.#uses.get(keyText(key))
      if (use === undefined) this.#uses.set(keyText(key), { key: { type: key.type, name: key.name }, count: 1 })
      else use.count++
    }
    upsert.push(...next.resources)
    for (const spec of next.assignments) if (this.#addSpec(spec)) upsert.push(this.#made.make(spec, this.#given.table.pool(spec.service)))
    for (const key of [...asked.made.resources, ...asked.made.assignments.map(endpointKey)]) {
      const use = this.#uses.get(keyText(key))
      if (use !== undefined && --use.count === 0) remove.push(use.key)
    }
    asked.made = next
  }

  #patch(upsert: readonly Resource[], candidates: readonly ResourceKey[]): void {
    // What one name let go of, another of the same patch may have taken up.
    const remove = candidates.filter(key => this.#uses.get(keyText(key))?.count === 0)
    for (const key of remove) {
      this.#uses.delete(keyText(key))
      if (key.type === 'endpoint') this.#dropSpec(key.name)
    }
    if (upsert.length + remove.length > 0) this.#given.cache.patch({ upsert, remove })
  }

  #addSpec(spec: AssignmentSpec): boolean {
    // A name says all that a spec consists of.
    if (this.#specs.has(spec.name)) return false
    this.#specs.set(spec.name, spec)
    const ofService = this.#specsByService.get(spec.service)
    if (ofService === undefined) this.#specsByService.set(spec.service, new Map([[spec.name, spec]]))
    else ofService.set(spec.name, spec)
    return true
  }

  #dropSpec(name: string): void {
    const spec = this.#specs.get(name)
    if (spec === undefined) return
    this.#specs.delete(name)
    this.#made.drop(name)
    const ofService = this.#specsByService.get(spec.service)
    ofService?.delete(name)
    if (ofService?.size === 0) this.#specsByService.delete(spec.service)
  }
}

function endpointKey({ name }: AssignmentSpec): ResourceKey {
  return { type: 'endpoint', name }
}

function grpcClusterName({ type, name }: ResourceKey): string | undefined {
  return type === 'cluster' ? grpcClusterOf(name) : undefined
}
