import type { ServiceKey } from '../model/service-key.ts'
import type { Wanted } from './contract.ts'

/** What is referred to: services by routes, Secrets by objects. Written by compose after each compilation, read by sources that cannot watch everything. */
export class WantedSet<Key extends string = ServiceKey> implements Wanted<Key> {
  readonly #listeners = new Set<() => void>()
  #keys: ReadonlySet<Key> = new Set()

  has(key: Key): boolean {
    return this.#keys.has(key)
  }

  keys(): Iterable<Key> {
    return this.#keys
  }

  onChange(callback: () => void): () => void {
    this.#listeners.add(callback)
    return () => this.#listeners.delete(callback)
  }

  /** Replaces the set; listeners hear of it only if it differs. */
  replace(keys: Iterable<Key>): void {
    const next = new Set(keys)
    if (next.size === this.#keys.size && next.isSubsetOf(this.#keys)) return
    this.#keys = next
    for (const listener of this.#listeners) listener()
  }
}
