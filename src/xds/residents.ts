import { keyText, type Resource, type ResourceKey } from './resource.ts'

/** Is told when the first thing that is used requires a key, and when the last one that did is gone. */
export interface NeedListener {
  needed(key: ResourceKey): void
  unneeded(key: ResourceKey): void
}

/**
 * Counts who uses which resource (the cache, and each client that may have it) and hence what is required: the cost per client is one
 * count per resource, however much that resource requires.
 */
export class Residents {
  readonly #uses = new Map<Resource, number>()
  /** Key → how many used resources require it. */
  readonly #needed = new Map<string, number>()
  readonly #tell: NeedListener

  constructor(tell: NeedListener) {
    this.#tell = tell
  }

  /** Uses in all, of resources that require something. */
  get uses(): number {
    let sum = 0
    for (const count of this.#uses.values()) sum += count
    return sum
  }

  needs(key: ResourceKey): boolean {
    return this.#needed.has(keyText(key))
  }

  hold(resource: Resource): void {
    if (resource.requires.length === 0) return
    const count = this.#uses.get(resource) ?? 0
    this.#uses.set(resource, count + 1)
    if (count > 0) return
    for (const key of resource.requires) {
      const id = keyText(key)
      const needed = (this.#needed.get(id) ?? 0) + 1
      this.#needed.set(id, needed)
      if (needed === 1) this.#tell.needed(key)
    }
  }

  release(resource: Resource): void {
    const count = this.#uses.get(resource)
    if (count === undefined) return
    if (count > 1) {
      this.#uses.set(resource, count - 1)
      return
    }
    this.#uses.delete(resource)
    for (const key of resource.requires) {
      const id = keyText(key)
      const needed = (this.#needed.get(id) ?? 0) - 1
      if (needed > 0) this.#needed.set(id, needed)
      else {
        this.#needed.delete(id)
        this.#tell.unneeded(key)
      }
    }
  }
}
