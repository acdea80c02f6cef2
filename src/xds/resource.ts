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
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  return Object.freeze({ type, name, bytes, version, requires, onDemand: onDemand || type === 'secret', tentative: false })
}

/** The same resource, tentative. */
export function tentatively(resource: Resource): Resource {
  return Object.freeze({ ...resource, tentative: true })
}

/** A key as one string, for maps. */
export function keyText(key: ResourceKey): string {
  return `${key.type} ${key.name}`
}
