import { createHash } from 'node:crypto'
import type { ResourceType } from './type-urls.ts'

/** The name of a resource of a type. */
export interface ResourceKey {
  readonly type: ResourceType
  readonly name: string
}

/**
 * One xDS resource: immutable, encoded once, shared by every stream (style.md, principle 9). Its version is a hash of its bytes, so
 * equal content means equal version, on every replica (xds.md C17).
 */
export interface Resource extends ResourceKey {
  /** The encoded message itself (the value of the Any). */
  readonly bytes: Buffer
  readonly version: string
  /** What a client must hold before it can use this one: order on the wire is data (DESIGN.md, central types). */
  readonly requires: readonly ResourceKey[]
  /** Only for clients that name it: whoever asks for everything of the type (`*`) is not sent it. Secrets are always so. */
  readonly onDemand: boolean
  /**
   * Something that it is made of is not read yet, so that it may lack what the client has. A client that came back with a copy of its own
   * keeps that until the resource is firm; everybody else takes it as it is.
   */
  readonly tentative: boolean
}

const nothing: readonly ResourceKey[] = Object.freeze([])

/** Makes a resource; the version is the first 16 hex digits of SHA-256 over `bytes`. */
export function makeResource(
  type: ResourceType,
  name: string,
  bytes: Buffer,
  requires: readonly ResourceKey[] = nothing,
  onDemand = false,
): Resource {
  const version = versionOf(bytes)
  return Object.freeze({ type, name, bytes, version, requires, onDemand: onDemand || type === 'secret', tentative: false })
}

/** A resource that is encoded when somebody first reads its bytes or version: what no client watches costs nothing. `encode` is pure. */
export function deferResource(type: ResourceType, name: string, encode: () => Buffer): Resource {
  return new DeferredResource(type, name, encode, false)
}

class DeferredResource implements Resource {
  readonly type: ResourceType
  readonly name: string
  readonly requires = nothing
  readonly onDemand = false
  readonly tentative: boolean
  /** What it is made of, then what was made of it. */
  #made: (() => Buffer) | { readonly bytes: Buffer; readonly version: string }

  constructor(type: ResourceType, name: string, encode: () => Buffer, tentative: boolean) {
    this.type = type
    this.name = name
    this.tentative = tentative
    this.#made = encode
  }

  get bytes(): Buffer {
    return this.#make().bytes
  }

  get version(): string {
    return this.#make().version
  }

  tentatively(): Resource {
    return new DeferredResource(this.type, this.name, () => this.bytes, true)
  }

  #make(): { readonly bytes: Buffer; readonly version: string } {
    if (typeof this.#made !== 'function') return this.#made
    const bytes = this.#made()
    this.#made = { bytes, version: versionOf(bytes) }
    return this.#made
  }
}

function versionOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

/** The same resource, tentative. */
export function tentatively(resource: Resource): Resource {
  return resource instanceof DeferredResource ? resource.tentatively() : Object.freeze({ ...resource, tentative: true })
}

/** A key as one string, for maps. */
export function keyText(key: ResourceKey): string {
  return `${key.type} ${key.name}`
}
