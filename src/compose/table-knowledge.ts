import type { KnownServices } from '../compile/emissary/input.ts'
import { type MeshPeer, sameMesh } from '../model/mesh.ts'
import { type ServiceKey, splitServiceKey } from '../model/service-key.ts'
import type { PoolView, TableChange, TableReader } from '../table/reader.ts'

/** What compile may know of the endpoint table: which services, namespaces and identities in meshes exist. They only ever grow. */
export class TableKnowledge implements KnownServices {
  readonly #table: TableReader
  readonly #namespaces: Set<string>
  readonly #peers = new Map<ServiceKey, readonly MeshPeer[]>()

  /** @param namespaces those that sources are set to, known before any service is */
  constructor(table: TableReader, namespaces: Iterable<string>) {
    this.#table = table
    this.#namespaces = new Set(namespaces)
    for (const pool of table.pools()) {
      this.#namespaces.add(splitServiceKey(pool.service).namespace)
      this.#learnMesh(pool)
    }
  }

  /** The same of another table: namespaces that are known stay known. */
  of(table: TableReader): TableKnowledge {
    return new TableKnowledge(table, this.#namespaces)
  }

  /** Gives true when that calls for another compilation. */
  learn(change: TableChange): boolean {
    let isNew = false
    for (const { before, after } of change.pools) {
      isNew = this.#learnMesh(after) || isNew
      if (before === undefined) this.#namespaces.add(splitServiceKey(after.service).namespace)
    }
    return isNew
  }

  #learnMesh({ service, endpoints }: PoolView): boolean {
    let isNew = false
    for (const { mesh } of endpoints) {
      if (mesh === undefined || 'locked' in mesh) continue
      const known = this.#peers.get(service) ?? []
      if (known.some(one => sameMesh(one, mesh))) continue
      this.#peers.set(service, [...known.filter(one => one.identity !== mesh.identity), mesh])
      isNew = true
    }
    return isNew
  }

  meshPeers(service: ServiceKey): readonly MeshPeer[] {
    return this.#peers.get(service) ?? []
  }

  has(service: ServiceKey): boolean {
    return this.#table.pool(service) !== undefined
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace)
  }
}
