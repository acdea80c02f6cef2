import type { Reason } from '../../src/model/reason.ts'

interface Intention {
  readonly DestinationName: string
  /** `allow`, `deny`, or nothing where permissions decide request by request. */
  readonly Action?: string
  readonly Precedence: number
}

/** What intentions say about connections of one service to others, so that people are told; to enforce them is the others' task. */
export class Intentions {
  readonly #gateway: string
  readonly #list: readonly Intention[]
  readonly #deniesByDefault: boolean

  /** @param list those whose source is the gateway's service, by name or as any */
  constructor(gateway: string, list: readonly Intention[], deniesByDefault: boolean) {
    this.#gateway = gateway
    this.#list = list.toSorted((a, b) => b.Precedence - a.Precedence)
    this.#deniesByDefault = deniesByDefault
  }

  /** Why a service closes the gateway's connections; undefined: it need not. */
  deniedBy(service: string): Reason | undefined {
    const first = this.#list.find(({ DestinationName: name }) => name === service || name === '*')
    if (first === undefined ? !this.#deniesByDefault : first.Action !== 'deny') return undefined
    const why = first === undefined ? 'no intention allows' : 'an intention denies'
    return {
      code: 'intention-denied',
      text: `${why} ${this.#gateway} to speak to ${service}, so connections are closed (to allow it: consul intention create ${this.#gateway} ${service})`,
    }
  }

  /** Whether another one says the same. */
  equals(other: Intentions): boolean {
    return this.#deniesByDefault === other.#deniesByDefault && JSON.stringify(this.#list) === JSON.stringify(other.#list)
  }
}

/** Consul's answer about the intentions of a source; undefined: it is something else. */
export function readIntentions(gateway: string, body: unknown, defaultPolicy: unknown): Intentions | undefined {
  const list = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[gateway] : undefined
  // Consul writes null for none.
  if (list !== null && !(Array.isArray(list) && list.every(isIntention))) return undefined
  return new Intentions(gateway, list ?? [], defaultPolicy === 'deny')
}

function isIntention(one: unknown): one is Intention {
  const { DestinationName: name, Precedence: precedence } = (one ?? {}) as Partial<Record<string, unknown>>
  return typeof name === 'string' && typeof precedence === 'number'
}
