import type { RegisteredPort, RegisteredService } from './lease.ts'

/** A place claimed by several agents: who holds it, and who claims it too, oldest first. */
export interface Disputed {
  readonly place: string
  readonly holder: string
  readonly fenced: readonly string[]
}

/**
 * Who holds an address and port. The registration that came last holds it; the agents before it are fenced there, because an address that
 * registers anew belongs to another machine now (reference/discovery.md 4.1). When the holder gives it up, the last one fenced holds it again.
 */
export class Claims {
  readonly #holders = new Map<string, string>()
  /** Agents that claim a place they do not hold, oldest first. */
  readonly #fenced = new Map<string, string[]>()

  holds(agentId: string, place: string): boolean {
    return this.#holders.get(place) === agentId
  }

  /** Gives the place to an agent; the result is the one that held it, if it was another. */
  take(agentId: string, place: string): string | undefined {
    const holder = this.#holders.get(place)
    if (holder === agentId) return undefined
    this.#holders.set(place, agentId)
    this.#unfence(agentId, place)
    if (holder === undefined) return undefined
    const fenced = this.#fenced.get(place)
    if (fenced === undefined) this.#fenced.set(place, [holder])
    else fenced.push(holder)
    return holder
  }

  /** An agent gives the place up; the result is the one that holds it again, if there is one. */
  release(agentId: string, place: string): string | undefined {
    if (!this.holds(agentId, place)) {
      this.#unfence(agentId, place)
      return undefined
    }
    const heir = this.#fenced.get(place)?.at(-1)
    if (heir === undefined) {
      this.#holders.delete(place)
      return undefined
    }
    this.#unfence(heir, place)
    this.#holders.set(place, heir)
    return heir
  }

  /** Every place that more than one agent claims. */
  *disputed(): Iterable<Disputed> {
    for (const [place, fenced] of this.#fenced) {
      const holder = this.#holders.get(place)
      if (holder !== undefined) yield { place, holder, fenced }
    }
  }

  #unfence(agentId: string, place: string): void {
    const fenced = this.#fenced.get(place)?.filter(one => one !== agentId)
    if (fenced === undefined) return
    if (fenced.length === 0) this.#fenced.delete(place)
    else this.#fenced.set(place, fenced)
  }
}

/** The key of an address and port. */
export function placeOf({ address }: Pick<RegisteredService, 'address'>, { port, protocol }: RegisteredPort): string {
  return `${address} ${port}/${protocol}`
}
