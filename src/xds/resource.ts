import { hash } from 'node:crypto'
import type { ResourceType } from './type-urls.ts'

/** The name of a resource of a type. */
export interface ResourceKey {
  readonly type: ResourceType
  readonly name: string
}

/** Where a client is, as its node says; '' where it does not say. */
export interface Place {
  readonly region: string
  readonly zone: string
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
  /**
   * What a client at a place is sent in its stead; undefined: all are sent the same. It follows from the resource, so that equal resources
   * have equal variants; places that are served alike have the same one (xds.md L9).
   */
  readonly forPlace: ((place: Place) => Resource) | undefined
}

/** How a resource differs by the place of who is sent it. Pure. */
export interface Variants {
  /** The part of a place that matters; undefined: none does, and the resource itself is served there. */
  narrow(place: Place): Place | undefined
  /** The bytes for a place that `narrow` gave. */
  encode(place: Place): Buffer
}

const nothing: readonly ResourceKey[] = []

/** Makes a resource; the version is the first 16 hex digits of SHA-256 over `bytes`. */
export function makeResource(
  type: ResourceType,
  name: string,
  bytes: Buffer,
  requires: readonly ResourceKey[] = nothing,
  onDemand = false,
): Resource {
  const version = versionOf(bytes)
  return Object.freeze({
    type,
    name,
    bytes,
    version,
    requires,
    onDemand: onDemand || type === 'secret',
    tentative: false,
    forPlace: undefined,
  })
}

/** A resource that is encoded when somebody first reads its bytes or version: what no client watches costs nothing. `encode` is pure. */
export function deferResource(type: ResourceType, name: string, encode: () => Buffer, variants?: Variants, onDemand = false): Resource {
  return new DeferredResource({ type, name, onDemand, tentative: false }, encode, variants)
}

class DeferredResource implements Resource {
  readonly type: ResourceType
  readonly name: string
  readonly requires = nothing
  readonly onDemand: boolean
  readonly tentative: boolean
  readonly forPlace: Resource['forPlace']
  readonly #variants: Variants | undefined
  /** What it is made of, then what was made of it. */
  #made: (() => Buffer) | { readonly bytes: Buffer; readonly version: string }

  constructor(head: ResourceKey & Pick<Resource, 'onDemand' | 'tentative'>, encode: () => Buffer, variants: Variants | undefined) {
    this.type = head.type
    this.name = head.name
    this.onDemand = head.onDemand
    this.tentative = head.tentative
    this.#variants = variants
    this.forPlace = variants && placed(this, variants)
    this.#made = encode
  }

  get bytes(): Buffer {
    return this.#make().bytes
  }

  get version(): string {
    return this.#make().version
  }

  tentatively(): Resource {
    const { type, name, onDemand } = this
    return new DeferredResource({ type, name, onDemand, tentative: true }, () => this.bytes, this.#variants)
  }

  #make(): { readonly bytes: Buffer; readonly version: string } {
    if (typeof this.#made !== 'function') return this.#made
    const bytes = this.#made()
    this.#made = { bytes, version: versionOf(bytes) }
    return this.#made
  }
}

/** Makes each variant once, when somebody at such a place first asks. */
function placed(resource: Resource, variants: Variants): (place: Place) => Resource {
  const made = new Map<string, Resource>()
  return function at(place): Resource {
    const id = JSON.stringify([place.region, place.zone])
    let variant = made.get(id)
    if (variant === undefined) {
      const part = variants.narrow(place)
      if (part === undefined) variant = resource
      else if (part.region === place.region && part.zone === place.zone)
        variant = new DeferredResource(resource, () => variants.encode(place), undefined)
      else variant = at(part)
      made.set(id, variant)
    }
    return variant
  }
}

function versionOf(bytes: Buffer): string {
  return hash('sha256', bytes).slice(0, 16)
}

/** The same resource, tentative. */
export function tentatively(resource: Resource): Resource {
  return resource instanceof DeferredResource ? resource.tentatively() : Object.freeze({ ...resource, tentative: true })
}

/** A key as one string, for maps. */
export function keyText(key: ResourceKey): string {
  return `${key.type} ${key.name}`
}
