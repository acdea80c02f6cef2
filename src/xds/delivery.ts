import { Copies, type Holder } from './copies.ts'
import type { Interner } from './interner.ts'
import { Quarantine } from './quarantine.ts'
import type { Resource } from './resource.ts'

/** What a response says. */
export interface Content {
  readonly resources: readonly Resource[]
  readonly removed: readonly string[]
  /** Of the resources those that the client will take for a change. */
  readonly changed: readonly Resource[]
}

/** A response that was sent and is neither acknowledged nor rejected. */
export interface Sent extends Content {
  readonly nonce: string
}

/** What a request told about a response before it. A NACK need not be of a response that we know. */
export type Verdict =
  | { readonly kind: 'ack'; readonly sent: Sent }
  | {
      readonly kind: 'nack'
      readonly blamed: readonly Resource[]
      /** What to say again without those to blame, because a client may have dropped the whole response (xds.md C13). */
      readonly again: readonly string[]
    }
  | { readonly kind: 'none' }

/** Peculiarities of a type. */
interface Traits {
  /** A response is the whole truth: what it lacks is deleted (xds.md S3). */
  readonly fullState: boolean
  /** A NACK of a response that only removes is none: Envoy so answers for secrets (xds.md D7). */
  readonly removalsNeverRejected: boolean
}

const none: readonly Sent[] = []

/** Late answers to responses that were given up are still understood, for so many of them. */
const overdueMost = 8

/** Responses of one type on one stream: what is in flight, what the client took and what it refused. */
export class Delivery {
  readonly copies: Copies
  readonly quarantine = new Quarantine()
  readonly #traits: Traits
  #inFlight: Sent | undefined
  #overdue = none

  constructor(traits: Traits, holder: Holder, names: Interner<string>) {
    this.#traits = traits
    this.copies = new Copies(holder, names)
  }

  get inFlight(): Sent | undefined {
    return this.#inFlight
  }

  begin(sent: Sent): Sent {
    this.#inFlight = sent
    return sent
  }

  /** Gives a response up that was not answered in time, so that others can go out (xds.md D15). */
  expire(): void {
    if (this.#inFlight === undefined) return
    this.#overdue = [...this.#overdue, this.#inFlight].slice(-overdueMost)
    this.#inFlight = undefined
  }

  /**
   * Pairs a request with the response it answers. A stale or unknown nonce acknowledges nothing (xds.md S9, D12); an error alone marks a
   * NACK (C9).
   */
  answered(nonce: string, error: { readonly message: string } | undefined, covers: (name: string) => boolean): Verdict {
    const sent = this.#take(nonce)
    const harmless = this.#traits.removalsNeverRejected && sent?.resources.length === 0
    if (error !== undefined && !harmless) return this.#reject(sent, error.message)
    if (sent === undefined) return { kind: 'none' }
    // What the client let go of meanwhile is unknown already.
    for (const resource of sent.resources) if (covers(resource.name)) this.copies.ack(resource)
    if (this.#traits.fullState) {
      const kept = new Set(sent.resources.map(resource => resource.name))
      for (const name of [...this.copies.names()]) if (!kept.has(name)) this.copies.ackRemoval(name)
    } else for (const name of sent.removed) this.copies.ackRemoval(name)
    return { kind: 'ack', sent }
  }

  /** The response that has this nonce; those before it will not be answered any more. */
  #take(nonce: string): Sent | undefined {
    const current = this.#inFlight
    if (current?.nonce === nonce) {
      this.#inFlight = undefined
      this.#overdue = none
      return current
    }
    const at = this.#overdue.findIndex(sent => sent.nonce === nonce)
    const late = this.#overdue[at]
    this.#overdue = this.#overdue.slice(at + 1)
    return late
  }

  #reject(sent: Sent | undefined, message: string): Verdict {
    const suspects = (sent?.resources ?? []).filter(
      ({ name, version }) => this.copies.sentVersion(name) === version && this.copies.acked(name)?.version !== version,
    )
    // What was at fault may have been superseded or let go of meanwhile, so that a lone suspect proves nothing.
    const complete = suspects.length === sent?.changed.length
    const blamed = this.quarantine.blame(suspects, message, complete)
    for (const resource of blamed) this.copies.reject(resource)
    const guilty = new Set(blamed)
    // With nobody to blame, saying it again would only be refused again (C10).
    const again =
      sent === undefined || blamed.length === 0 ? [] : [...suspects.filter(one => !guilty.has(one)).map(one => one.name), ...sent.removed]
    return { kind: 'nack', blamed, again }
  }
}
