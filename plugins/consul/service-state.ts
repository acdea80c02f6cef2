import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import { sameEndpoint } from '../../src/model/same-endpoint.ts'
import type { Translation } from './translate.ts'

type Instances = ReadonlyMap<string, readonly Endpoint[]>

/** The reason of an endpoint that is kept although its service answers empty. */
const suspicion = { code: 'suspect-absence', text: 'Consul answers that the service has no instance, and its catalog still lists it' }
/** Services of fewer instances shrink by more than half all the time (reference/discovery.md 5.4). */
const shrinkFrom = 4

/**
 * What is known of one service, from one answer to the next: which answers may take something away (reference/discovery.md 2.2 rules 2
 * and 8, 2.3). Pure; endpoints that do not change keep their identity and their place.
 */
export class ServiceState {
  #instances: Instances = new Map()
  #endpoints: readonly Endpoint[] = []
  #emptied = false
  #refusals: readonly string[] = []

  /** The endpoints in force. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  /** An authoritative answer said that there is no instance; whether the service is gone is the catalog's to confirm. */
  get emptied(): boolean {
    return this.#emptied
  }

  /** What the last answer had that cannot be used. */
  get refusals(): readonly string[] {
    return this.#refusals
  }

  /** Whether an instance is held that this answer does not have. */
  lacks({ instances }: Translation): boolean {
    return !this.#emptied && [...this.#instances.keys()].some(id => !instances.has(id))
  }

  /**
   * Whether an answer takes away so much at once that it should be confirmed: all, or net of new instances more than half of at least
   * four. Instances that were seen draining or unhealthy before do not count, their end was announced (rule 8, and 5.4).
   */
  shrinks({ instances, total }: Translation): boolean {
    if (this.#emptied || this.#instances.size === 0) return false
    let gone = 0
    for (const [id, endpoints] of this.#instances) if (!instances.has(id) && !endpoints.every(wasAnnounced)) gone++
    if (total === 0) return gone > 0
    let added = 0
    for (const id of instances.keys()) if (!this.#instances.has(id)) added++
    return this.#instances.size >= shrinkFrom && (gone - added) * 2 > this.#instances.size
  }

  /**
   * Takes an answer. Gives whether the endpoints changed. An answer that is not authoritative adds and updates, and takes nothing away;
   * one without any instance takes nothing away until `gone`.
   */
  take(translation: Translation, authoritative: boolean): boolean {
    const { instances, refusals, total } = translation
    this.#refusals = refusals
    if (total > 0) {
      this.#emptied = false
      return this.#set(authoritative ? instances : new Map([...this.#instances, ...instances]))
    }
    if (!authoritative) return false
    this.#emptied = true
    return this.#set(suspect(this.#instances))
  }

  /** The catalog confirmed that the service is gone. Gives whether the endpoints changed. */
  gone(): boolean {
    this.#emptied = false
    return this.#set(new Map())
  }

  #set(next: Instances): boolean {
    const kept = new Map<string, readonly Endpoint[]>()
    // Consul's order is not ours: an instance keeps its place, new ones come last.
    for (const [id, before] of this.#instances) {
      const after = next.get(id)
      if (after !== undefined) kept.set(id, keepSame(before, after))
    }
    for (const [id, endpoints] of next) if (!kept.has(id)) kept.set(id, endpoints)
    this.#instances = kept
    const endpoints = [...kept.values()].flat()
    const same = endpoints.length === this.#endpoints.length && endpoints.every((one, index) => one === this.#endpoints[index])
    if (!same) this.#endpoints = endpoints
    return !same
  }
}

function wasAnnounced({ health }: Endpoint): boolean {
  return health === 'draining' || health === 'unhealthy'
}

function keepSame(before: readonly Endpoint[], after: readonly Endpoint[]): readonly Endpoint[] {
  return after.map((endpoint, index) => {
    const old = before[index]
    return old !== undefined && sameEndpoint(old, endpoint) ? old : endpoint
  })
}

function suspect(instances: Instances): Instances {
  const doubted = (one: Endpoint): Endpoint =>
    one.reasons.includes(suspicion) ? one : makeEndpoint({ ...one, presence: 'suspect', reasons: [...one.reasons, suspicion] })
  return new Map([...instances].map(([id, endpoints]) => [id, endpoints.map(doubted)]))
}
