import type { Reason } from '../model/reason.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { PoolEndpoint, PoolView } from './pool-view.ts'
import { comparePlaces } from './pool-order.ts'

/** What sources know under a key, as it was and is. */
export interface MergedChange {
  readonly before: PoolView | undefined
  readonly after: PoolView
}

/**
 * Finds instances that are gone by what took their address: while a source does not vouch for an endpoint (a guard holds it, its lease ran out,
 * it is known from before the start), another instance of the same source turns up at its address and port under another service. Requests for
 * the old service would reach the new one (reference/discovery.md 1.2, 4.1). Costs nothing while no endpoint is in doubt, and the size of the
 * changed service otherwise.
 */
export class ReusedAddresses {
  /** Services with an endpoint in doubt, by place. */
  readonly #doubted = new Map<string, Set<ServiceKey>>()
  /** What took the place of a doubted endpoint, by service and place. */
  readonly #taken = new Map<string, Reason>()

  /**
   * Takes changes of what sources know.
   * @param viewOf what they know under a key
   * @returns services that lost an endpoint to them: to be finished anew
   */
  note(changes: readonly MergedChange[], viewOf: (service: ServiceKey) => PoolView | undefined): readonly ServiceKey[] {
    for (const { before, after } of changes) if (before !== after) this.#noteDoubts(before, after)
    if (this.#doubted.size === 0) return []
    return changes.flatMap(({ before, after }) =>
      before === after
        ? []
        : [...arrivals(before?.endpoints ?? [], after.endpoints)].flatMap(one => this.#losers(after.service, one, viewOf)),
    )
  }

  /** A copy that goes its own way. */
  fork(): ReusedAddresses {
    const copy = new ReusedAddresses()
    for (const [place, services] of this.#doubted) copy.#doubted.set(place, new Set(services))
    for (const [place, reason] of this.#taken) copy.#taken.set(place, reason)
    return copy
  }

  /** Nothing was taken. */
  get isEmpty(): boolean {
    return this.#taken.size === 0
  }

  /** Why an endpoint is somebody else's by now; undefined: it is not. */
  reasonFor(service: ServiceKey, endpoint: PoolEndpoint): Reason | undefined {
    return this.#taken.size === 0 || endpoint.presence === 'live' ? undefined : this.#taken.get(`${service} ${placeKey(endpoint)}`)
  }

  #noteDoubts(before: PoolView | undefined, { service, endpoints }: PoolView): void {
    const doubted = new Set<string>()
    for (const one of endpoints) if (one.presence !== 'live') doubted.add(placeKey(one))
    for (const one of before?.endpoints ?? []) {
      if (one.presence === 'live') continue
      const place = placeKey(one)
      if (doubted.has(place)) continue
      const services = this.#doubted.get(place)
      services?.delete(service)
      if (services?.size === 0) this.#doubted.delete(place)
      this.#taken.delete(`${service} ${place}`)
    }
    for (const place of doubted) {
      const services = this.#doubted.get(place)
      if (services === undefined) this.#doubted.set(place, new Set([service]))
      else services.add(service)
    }
  }

  #losers(taker: ServiceKey, arrival: PoolEndpoint, viewOf: (service: ServiceKey) => PoolView | undefined): readonly ServiceKey[] {
    const place = placeKey(arrival)
    return [...(this.#doubted.get(place) ?? [])].filter(service => {
      if (service === taker) return false
      const lost = viewOf(service)?.endpoints.find(one => comparePlaces(one, arrival) === 0)
      const by = arrival.evidence.find(
        ({ source, endpoint }) =>
          endpoint.presence === 'live' && lost?.evidence.some(old => old.source === source && old.endpoint.id !== endpoint.id) === true,
      )
      if (by === undefined) return false
      const text = `${by.source} gave its address to instance ${by.endpoint.id} of ${taker} meanwhile`
      this.#taken.set(`${service} ${place}`, { code: 'address-reuse', text })
      return true
    })
  }
}

/** Endpoints that are vouched for now at a place where there was none. */
function* arrivals(before: readonly PoolEndpoint[], after: readonly PoolEndpoint[]): Iterable<PoolEndpoint> {
  let from = 0
  for (const one of after) {
    let order = -1
    while (from < before.length && (order = comparePlaces(before[from] as PoolEndpoint, one)) < 0) from++
    if (order !== 0 && one.presence === 'live') yield one
  }
}

function placeKey({ address, port, protocol }: PoolEndpoint): string {
  return `${address} ${String(port)} ${protocol}`
}
