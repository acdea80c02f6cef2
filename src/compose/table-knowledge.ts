import type { KnownServices } from '../compile/emissary/input.ts'
import { type ServiceKey, splitServiceKey } from '../model/service-key.ts'
import type { TableChange, TableReader } from '../table/reader.ts'

/** What compile may know of the endpoint table: which services and namespaces exist. Both only ever grow. */
export class TableKnowledge implements KnownServices {
  readonly #table: TableReader
  readonly #namespaces: Set<string>

  /** @param namespaces those that sources are set to, known before any service is */
  constructor(table: TableReader, namespaces: Iterable<string>) {
    this.#table = table
    this.#namespaces = new Set(namespaces)
    for (const pool of table.pools()) this.#namespaces.add(splitServiceKey(pool.service).namespace)
  }

  /** The same of another table: namespaces that are known stay known. */
  of(table: TableReader): TableKnowledge {
    return new TableKnowledge(table, this.#namespaces)
  }

  learn(change: TableChange): void {
    for (const { before, after } of change.pools) {
      if (before === undefined) this.#namespaces.add(splitServiceKey(after.service).namespace)
    }
  }

  has(service: ServiceKey): boolean {
    return this.#table.pool(service) !== undefined
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace)
  }
}
