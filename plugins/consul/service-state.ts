import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import { sameEndpoint } from '../../src/model/same-endpoint.ts'
import type { Translation } from './translate.ts'

type Instances = ReadonlyMap<string, readonly Endpoint[]>

const suspicion = { code: 'suspect-absence', text: 'Consul answers that the service has no instance, and its catalog still lists it' }

/**
 * What is known of one service, from one answer to the next: which answers may take something away (reference/discovery.md 2.2 rule 2,
 * 2.3). Pure; objects that do not change keep their identity.
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

  get refusals(): readonly string[] {
    return this.#refusals
  }

  /**
   * Takes an answer. Gives whether the endpoints changed. An answer that is not authoritative adds and updates, and takes nothing away;
   * an empty one takes nothing away until `gone`.
   */
  take({ instances, refusals }: Translation, authoritative: boolean): boolean {
    this.#refusals = refusals
    const empty = instances.size === 0 && refusals.length === 0
    if (empty && authoritative && this.#instances.size > 0) {
      this.#emptied = true
      return this.#set(suspect(this.#instances))
    }
    // An empty answer that may not take away says nothing at all.
    if (empty && this.#instances.size > 0) return false
    this.#emptied = empty && authoritative
    return this.#set(authoritative ? instances : new Map([...this.#instances, ...instances]))
  }

  /** The catalog confirmed that the service is gone. Gives whether the endpoints changed. */
  gone(): boolean {
    this.#emptied = false
    return this.#set(new Map())
  }

  #set(next: Instances): boolean {
    const kept = new Map([...next].map(([id, endpoints]) => [id, keepSame(this.#instances.get(id), endpoints)]))
    this.#instances = kept
    const endpoints = [...kept.values()].flat()
    const same = endpoints.length === this.#endpoints.length && endpoints.every((one, index) => one === this.#endpoints[index])
    if (!same) this.#endpoints = Object.freeze(endpoints)
    return !same
  }
}

function keepSame(before: readonly Endpoint[] | undefined, after: readonly Endpoint[]): readonly Endpoint[] {
  return after.map((endpoint, index) => {
    const old = before?.[index]
    return old !== undefined && sameEndpoint(old, endpoint) ? old : endpoint
  })
}

function suspect(instances: Instances): Instances {
  return new Map(
    [...instances].map(([id, endpoints]) => [
      id,
      endpoints.map(one =>
        one.presence === 'suspect' ? one : makeEndpoint({ ...one, presence: 'suspect', reasons: [...one.reasons, suspicion] }),
      ),
    ]),
  )
}
