import type { Resource } from './resource.ts'
import { typeUrls } from './type-urls.ts'

/** Numbers of the fields of `DeltaDiscoveryResponse` and `DiscoveryResponse`; all are of wire type 2 (length, then bytes). */
const delta = { version: 1, resources: 2, typeUrl: 4, nonce: 5, removed: 6, controlPlane: 7 }
const sotw = { version: 1, resources: 2, typeUrl: 4, nonce: 5, controlPlane: 6 }

/** Everything of a response that is not its resources. */
export interface Envelope {
  readonly typeUrl: string
  readonly nonce: string
  readonly version: string
  /** Id of this gateway (xds.md C16). */
  readonly controlPlane: string
}

/** A DeltaDiscoveryResponse made of frames that every stream shares, and a short tail of this stream's own. */
export function deltaResponse(resources: readonly Resource[], removed: readonly string[], envelope: Envelope): Buffer {
  const tail = [
    ...removed.map(name => field(delta.removed, Buffer.from(name))),
    field(delta.version, Buffer.from(envelope.version)),
    field(delta.typeUrl, Buffer.from(envelope.typeUrl)),
    field(delta.nonce, Buffer.from(envelope.nonce)),
    field(delta.controlPlane, field(1, Buffer.from(envelope.controlPlane))),
  ]
  return Buffer.concat([...resources.map(deltaFrame), ...tail])
}

/** A DiscoveryResponse; `wrapped`: each resource inside a `Resource` message, for clients that ask for it (xds.md S16). */
export function sotwResponse(resources: readonly Resource[], wrapped: boolean, envelope: Envelope): Buffer {
  const tail = [
    field(sotw.version, Buffer.from(envelope.version)),
    field(sotw.typeUrl, Buffer.from(envelope.typeUrl)),
    field(sotw.nonce, Buffer.from(envelope.nonce)),
    field(sotw.controlPlane, field(1, Buffer.from(envelope.controlPlane))),
  ]
  const body = resources.map(resource => field(sotw.resources, wrapped ? wrap(resource) : anyOf(typeUrls[resource.type], resource.bytes)))
  return Buffer.concat([...body, ...tail])
}

const frames = new WeakMap<Resource, Buffer>()

/** A resource as an element of `DeltaDiscoveryResponse.resources`; made once, shared by all streams. */
function deltaFrame(resource: Resource): Buffer {
  let frame = frames.get(resource)
  if (frame === undefined) frames.set(resource, (frame = field(delta.resources, resourceMessage(resource))))
  return frame
}

function resourceMessage(resource: Resource): Buffer {
  return Buffer.concat([
    field(1, Buffer.from(resource.version)),
    field(2, anyOf(typeUrls[resource.type], resource.bytes)),
    field(3, Buffer.from(resource.name)),
  ])
}

function wrap(resource: Resource): Buffer {
  return anyOf('type.googleapis.com/envoy.service.discovery.v3.Resource', resourceMessage(resource))
}

function anyOf(typeUrl: string, bytes: Buffer): Buffer {
  return Buffer.concat([field(1, Buffer.from(typeUrl)), field(2, bytes)])
}

function field(number: number, bytes: Buffer): Buffer {
  const head = [(number << 3) | 2]
  let length = bytes.length
  for (; length > 127; length = Math.floor(length / 128)) head.push((length % 128) + 128)
  head.push(length)
  return Buffer.concat([Buffer.from(head), bytes])
}
