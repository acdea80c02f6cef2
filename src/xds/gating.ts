import { keyText, type Resource, type ResourceKey } from './resource.ts'
import type { Subscription } from './subscription.ts'
import { type ResourceType, resourceTypes } from './type-urls.ts'

/** What gating reads, of one stream. */
export interface GatingGiven {
  subscription(type: ResourceType): Subscription | undefined
  /** What is to be served under a key. */
  current(key: ResourceKey): Resource | undefined
  now(): number
  /** A resource waited as long as it may, and goes out although what it requires was not acknowledged. */
  gaveUp(resource: Resource): void
}

interface Wait {
  readonly since: number
  readonly resource: Resource
  readonly blocker: ResourceKey
}

const wirePlace = new Map(resourceTypes.map((type, place) => [type, place]))

/**
 * Make before break, per stream (xds.md O2, O3): a resource is held back until what it requires was acknowledged there. Only what goes
 * before it on the wire can hold it back; what goes after it (the assignment of a cluster, the routes of a listener) a client asks for
 * itself once it has the resource, and warms until it comes. Bounded in time.
 */
export class Gating {
  readonly #given: GatingGiven
  readonly #patienceMs: number
  readonly #waits = new Map<string, Wait>()
  /** What was waited for in vain: nothing waits for it again until it is acknowledged. */
  readonly #givenUp = new Set<string>()

  constructor(given: GatingGiven, patienceMs: number) {
    this.#given = given
    this.#patienceMs = patienceMs
  }

  /** Something is held back. */
  get isWaiting(): boolean {
    return this.#waits.size > 0
  }

  /** When the longest wait is over, or undefined while nothing waits. */
  get deadline(): number | undefined {
    for (const { since } of this.#waits.values()) return since + this.#patienceMs
    return undefined
  }

  held(resource: Resource): boolean {
    if (resource.requires.length === 0) return false
    const id = keyText(resource)
    const wait = this.#waits.get(id)
    // The one that blocked it last time most likely still does: nothing else need be looked at.
    if (wait?.resource === resource && this.#blocks(wait.blocker, resource)) {
      if (!this.#isOver(wait)) return true
    }
    const blocker = resource.requires.find(key => this.#blocks(key, resource))
    if (blocker === undefined) {
      this.#waits.delete(id)
      return false
    }
    const next = { since: wait?.since ?? this.#given.now(), resource, blocker }
    this.#waits.set(id, next)
    if (!this.#isOver(next)) return true
    this.#waits.delete(id)
    for (const key of resource.requires) if (this.#blocks(key, resource)) this.#givenUp.add(keyText(key))
    this.#given.gaveUp(resource)
    return false
  }

  /** The client acknowledged it, so that waiting for it makes sense again. */
  acknowledged(key: ResourceKey): void {
    if (this.#givenUp.size > 0) this.#givenUp.delete(keyText(key))
  }

  /** Forgets waits of resources that nobody asked about any more. Call it after everything was looked at again. */
  prune(): void {
    for (const [id, wait] of this.#waits) if (this.#isOver(wait)) this.#waits.delete(id)
  }

  #isOver(wait: Wait): boolean {
    return this.#given.now() - wait.since >= this.#patienceMs
  }

  /**
   * Not waited for: what the client did not subscribe to (it asks by itself), what does not exist, what it refused, and what was waited
   * for in vain. A cluster is ready only when its assignment is there, too.
   */
  #blocks(key: ResourceKey, resource: Resource): boolean {
    if ((wirePlace.get(key.type) ?? 0) >= (wirePlace.get(resource.type) ?? 0)) return false
    const subscription = this.#given.subscription(key.type)
    if (subscription?.covers(key.name) !== true) return false
    const required = this.#given.current(key)
    if (required === undefined || (this.#givenUp.size > 0 && this.#givenUp.has(keyText(key)))) return false
    const refused = subscription.refuses(required)
    if (!has(subscription, key)) return !refused
    // Whoever refused it goes on with what it acknowledged before.
    const used = refused ? subscription.acked(key.name) : required
    return (
      used?.requires.some(inner => {
        const innerSubscription = this.#given.subscription(inner.type)
        const innerCurrent = this.#given.current(inner)
        if (innerSubscription === undefined || innerCurrent === undefined) return false
        return !has(innerSubscription, inner) && !innerSubscription.refuses(innerCurrent) && !innerSubscription.keepsOwn(innerCurrent)
      }) === true
    )
  }
}

/** The client acknowledged it, and was not told since that there is none. */
function has(subscription: Subscription, { name }: ResourceKey): boolean {
  return subscription.acked(name) !== undefined && subscription.sentVersion(name) !== undefined
}
