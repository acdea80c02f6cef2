import ipaddr from 'ipaddr.js'
import { errorText } from '../model/errors.ts'

/** That a source named an address which its rules refuse. */
export interface RefusedAddress {
  /** Why, and which setting would change that. */
  readonly text: string
  /** When it was named last, wall clock ms. */
  readonly at: number
}

/** More are forgotten, the oldest first. */
const most = 1000

/** The addresses that a source named and that were refused, for who asks why one is missing. Bounded, as anybody may register anything. */
export class RefusedAddresses {
  readonly #byAddress = new Map<string, RefusedAddress>()
  readonly #wall: () => number

  /** `wall`: wall clock ms. */
  constructor(wall: () => number) {
    this.#wall = wall
  }

  /** The same rules (see `addressRules`), whose refusals are noted. */
  noting(admit: (address: string) => string): (address: string) => string {
    return address => {
      try {
        return admit(address)
      } catch (error) {
        this.#note(canonical(address), { text: errorText(error), at: this.#wall() })
        throw error
      }
    }
  }

  /** Of a canonical address; undefined: the source never named it, or may have it. */
  of(address: string): RefusedAddress | undefined {
    return this.#byAddress.get(address)
  }

  #note(address: string, refused: RefusedAddress): void {
    this.#byAddress.delete(address)
    this.#byAddress.set(address, refused)
    if (this.#byAddress.size <= most) return
    for (const oldest of this.#byAddress.keys()) {
      this.#byAddress.delete(oldest)
      return
    }
  }
}

function canonical(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address
}
