import { InternedMap, type Interner } from './interner.ts'
import type { Resource } from './resource.ts'

/** Is told which resources a client may be using; the cache keeps what those require (DESIGN.md, central types). */
export interface Holder {
  hold(resource: Resource): void
  release(resource: Resource): void
}

/** What one client has of one name, while that is not simply one acknowledged resource. */
interface Copy {
  /** Version it was last sent, or said to have. A NACK does not change it, so that it starts no loop (xds.md C10, D14). */
  sent: string | undefined
  /** Sent, and neither acknowledged nor refused. */
  unsure: Resource | undefined
  acked: Resource | undefined
}

/**
 * What one client was sent of one type and what it acknowledged, by name (xds.md D14). The usual state, everything acknowledged, costs one
 * place in an array per name and nothing else.
 */
export class Copies {
  readonly #holder: Holder
  readonly #all: InternedMap<string, Resource | Copy>
  #sentCount = 0

  /** `names`: those of this type, of all clients. */
  constructor(holder: Holder, names: Interner<string>) {
    this.#holder = holder
    this.#all = new InternedMap(names)
  }

  /** How many names it was sent and not told to drop. */
  get sentCount(): number {
    return this.#sentCount
  }

  names(): Iterable<string> {
    return this.#all.keys()
  }

  sentVersion(name: string): string | undefined {
    const copy = this.#all.get(name)
    return copy === undefined ? undefined : isResource(copy) ? copy.version : copy.sent
  }

  acked(name: string): Resource | undefined {
    const copy = this.#all.get(name)
    return copy === undefined || isResource(copy) ? copy : copy.acked
  }

  /** All that is known of it is the client's own word that it has some version. */
  isTold(name: string): boolean {
    const copy = this.#all.get(name)
    return copy !== undefined && !isResource(copy) && copy.sent !== undefined && copy.unsure === undefined && copy.acked === undefined
  }

  /** A reconnecting client says that it has this version. */
  told(name: string, version: string): void {
    this.#change(name, copy => (copy.sent = version))
  }

  /** The client is due this resource and has its version: if it only said so until now, that is as good as an acknowledgement. */
  confirm(resource: Resource): void {
    this.#change(resource.name, copy => {
      if (copy.unsure === undefined && copy.acked === undefined && copy.sent === resource.version) this.#swap(copy, 'acked', resource)
    })
  }

  send(resource: Resource): void {
    this.#change(resource.name, copy => {
      copy.sent = resource.version
      this.#swap(copy, 'unsure', copy.acked === resource ? undefined : resource)
    })
  }

  /** The client was told that there is none; it has what it had until it acknowledges that. */
  sendRemoval(name: string): void {
    this.#change(name, copy => {
      copy.sent = undefined
      this.#swap(copy, 'unsure', undefined)
    })
  }

  /** The client acknowledged it, or was found to have it. */
  ack(resource: Resource): void {
    this.#change(resource.name, copy => {
      this.#swap(copy, 'acked', resource)
      if (copy.unsure === resource) this.#swap(copy, 'unsure', undefined)
    })
  }

  ackRemoval(name: string): void {
    this.#change(name, copy => this.#swap(copy, 'acked', undefined))
  }

  /** The client refused it: what it acknowledged before is what it has. */
  reject(resource: Resource): void {
    this.#change(resource.name, copy => {
      if (copy.unsure === resource) this.#swap(copy, 'unsure', undefined)
    })
  }

  /** The client no longer watches the name, so what it has of it is unknown (xds.md S8). */
  forget(name: string): void {
    this.#change(name, copy => {
      copy.sent = undefined
      this.#swap(copy, 'unsure', undefined)
      this.#swap(copy, 'acked', undefined)
    })
  }

  forgetAll(): void {
    for (const name of [...this.#all.keys()]) this.forget(name)
  }

  #swap(copy: Copy, slot: 'unsure' | 'acked', next: Resource | undefined): void {
    const before = copy[slot]
    if (before === next) return
    copy[slot] = next
    if (next !== undefined) this.#holder.hold(next)
    if (before !== undefined) this.#holder.release(before)
  }

  #change(name: string, change: (copy: Copy) => void): void {
    const known = this.#all.get(name)
    const copy: Copy =
      known === undefined
        ? { sent: undefined, unsure: undefined, acked: undefined }
        : isResource(known)
          ? { sent: known.version, unsure: undefined, acked: known }
          : known
    const had = copy.sent !== undefined
    change(copy)
    const has = copy.sent !== undefined
    if (has !== had) this.#sentCount += has ? 1 : -1
    if (copy.unsure === undefined && copy.acked?.version === copy.sent) {
      if (copy.acked === undefined) this.#all.delete(name)
      else this.#all.set(name, copy.acked)
    } else if (copy !== known) this.#all.set(name, copy)
  }
}

function isResource(value: Resource | Copy): value is Resource {
  return 'bytes' in value
}
