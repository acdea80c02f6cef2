import type { ServiceKey } from '../model/service-key.ts'
import type { Wanted } from './contract.ts'

/** The services that routes refer to. Written by compose after each compilation, read by sources that cannot watch everything. */
export class WantedSet implements Wanted {
  readonly #listeners = new Set<() => void>()
  #keys: ReadonlySet<ServiceKey> = new Set()

  has(service: ServiceKey): boolean {
    return this.#keys.has(service)
  }

  keys(): Iterable<ServiceKey> {
    return this.#keys
  }

  onChange(callback: () => void): () => void {
    this.#listeners.add(callback)
    return () => this.#listeners.delete(callback)
  }

  /** Replaces the set; listeners hear of it only if it differs. */
  replace(keys: Iterable<ServiceKey>): void {
    const next = new Set(keys)
    if (next.size === this.#keys.size && next.isSubsetOf(this.#keys)) return
    this.#keys = next
    for (const listener of this.#listeners) listener()
  }
}
