import { networkInterfaces } from 'node:os'
import type { RouteTable } from '../ir/route-table.ts'

/**
 * Where the gateway's own Envoy listens: an endpoint there would send requests round in a circle (reference/discovery.md 1.3). Only of an Envoy
 * that we run ourselves is it certain which addresses are its own; behind a container's or a node's address there may be something else.
 */
export class OwnListeners {
  readonly #addressesOf: () => readonly string[]
  /** `ADDRESS PORT`; any address of this machine counts for 0.0.0.0 and ::. */
  #places: ReadonlySet<string> = new Set()

  /** @param addressesOf of this machine, canonical */
  constructor(addressesOf: () => readonly string[] = localAddresses) {
    this.#addressesOf = addressesOf
  }

  /** Takes the listeners in force; whether that changed anything. */
  follow(listeners: RouteTable['listeners']): boolean {
    const all = this.#addressesOf()
    const places = new Set(
      listeners.flatMap(({ address, port }) => (isAny(address) ? all : [address]).map(one => `${one} ${String(port)}`)),
    )
    if (places.size === this.#places.size && places.isSubsetOf(this.#places)) return false
    this.#places = places
    return true
  }

  has(address: string, port: number): boolean {
    return this.#places.has(`${address} ${String(port)}`)
  }
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

function localAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(one => one.address))
}
