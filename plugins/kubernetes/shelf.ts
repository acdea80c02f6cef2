import type { Listed, Versioned } from './resource.ts'

/** One object that became another; undefined: there is none before or after. Never both. */
export interface ResourceChange<T> {
  /** `namespace/name`. */
  readonly key: string
  readonly before: T | undefined
  readonly after: T | undefined
}

/** A change as a watch tells it: undefined, the object is gone. */
export interface ShelfItem<T> {
  readonly key: string
  readonly object: Versioned<T> | undefined
}

/** The objects of a resource as they are known here. Every way to change it gives what became different. */
export class Shelf<T> {
  readonly #objects = new Map<string, Versioned<T>>()
  /** Keys that changed since an audit began. */
  #touched: Set<string> | undefined

  get size(): number {
    return this.#objects.size
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)?.value
  }

  *entries(): IterableIterator<readonly [key: string, value: T]> {
    for (const [key, { value }] of this.#objects) yield [key, value]
  }

  /** Takes events in their order. */
  patch(items: readonly ShelfItem<T>[]): readonly ResourceChange<T>[] {
    return items.flatMap(({ key, object }) => this.#put(key, object))
  }

  /** Becomes a list: what it lacks goes, what it has in the same version stays untouched. */
  replace({ items }: Listed<T>): readonly ResourceChange<T>[] {
    const changes: ResourceChange<T>[] = []
    for (const [key, object] of items) changes.push(...this.#put(key, object))
    for (const key of [...this.#objects.keys()]) if (!items.has(key)) changes.push(...this.#put(key, undefined))
    return changes
  }

  /** From now on `audit` knows which keys a watch has changed. */
  beginAudit(): ReadonlySet<string> {
    return (this.#touched = new Set())
  }

  endAudit(): void {
    this.#touched = undefined
  }

  /** Corrects what differs from a list and was not changed since `beginAudit`: what the watch has missed. */
  audit({ items }: Listed<T>, touched: ReadonlySet<string>): readonly ResourceChange<T>[] {
    const missed: ResourceChange<T>[] = []
    for (const [key, object] of items) if (!touched.has(key)) missed.push(...this.#put(key, object))
    for (const key of [...this.#objects.keys()]) if (!items.has(key) && !touched.has(key)) missed.push(...this.#put(key, undefined))
    return missed
  }

  #put(key: string, object: Versioned<T> | undefined): readonly ResourceChange<T>[] {
    const before = this.#objects.get(key)
    if (before?.version === object?.version) return []
    this.#touched?.add(key)
    if (object === undefined) this.#objects.delete(key)
    else this.#objects.set(key, object)
    return [{ key, before: before?.value, after: object?.value }]
  }
}
