import { Bundles } from './bundles.ts'
import type { Resource } from './resource.ts'
import { typeUrls } from './type-urls.ts'
import { sizeOfVarint, writeHead } from './wire-bytes.ts'

/** Numbers of the fields of `DeltaDiscoveryResponse` and `DiscoveryResponse`; all are of wire type 2 (length, then bytes). */
const delta = { version: 1, resources: 2, typeUrl: 4, nonce: 5, removed: 6, controlPlane: 7 }
const sotw = { version: 1, resources: 2, typeUrl: 4, nonce: 5, controlPlane: 6 }

/** What is different in each response. */
export interface Envelope {
  readonly typeUrl: string
  readonly nonce: string
  /** In state of the world always; in Delta it is for people alone (xds.md D16), and '' leaves it out. */
  readonly version: string
}

/** A message in pieces. Large pieces are shared by all streams and are only joined when a socket takes the message. */
export type Parts = readonly Buffer[]

type Form = 'delta' | 'sotw' | 'wrapped'

/**
 * Builds responses from frames that are made once per resource: the order of protobuf fields is free, so a response is the frames of its
 * resources and a short tail of the stream's own (reference/xds.md 5.3).
 */
export class ResponseFramer {
  readonly #controlPlane: string
  /** What is the same in every response of a type. */
  readonly #constants = { delta: new Map<string, Buffer>(), sotw: new Map<string, Buffer>() }
  readonly #bundles = new Bundles()

  /** `controlPlane`: id of this gateway, in every response (xds.md C16). */
  constructor(controlPlane: string) {
    this.#controlPlane = controlPlane
  }

  /** A DeltaDiscoveryResponse. */
  delta(resources: readonly Resource[], removed: readonly string[], { typeUrl, nonce, version }: Envelope): Parts {
    const parts = [...this.#frames(resources, 'delta'), this.#constant('delta', typeUrl), field(delta.nonce, nonce)]
    if (version !== '') parts.push(field(delta.version, version))
    for (const name of removed) parts.push(field(delta.removed, name))
    return parts
  }

  /** A DiscoveryResponse; `wrapped`: each resource inside a `Resource` message, for clients that ask for it (xds.md S16). */
  sotw(resources: readonly Resource[], wrapped: boolean, { typeUrl, nonce, version }: Envelope): Parts {
    const tail = [this.#constant('sotw', typeUrl), field(sotw.nonce, nonce), field(sotw.version, version)]
    return [...this.#frames(resources, wrapped ? 'wrapped' : 'sotw'), ...tail]
  }

  /** Of the resources of a response, for its envelope. */
  version(resources: readonly Resource[]): string {
    return this.#bundles.version(resources)
  }

  #frames(resources: readonly Resource[], form: Form): readonly Buffer[] {
    return this.#bundles.frames(resources, form, list => frames(list, form))
  }

  #constant(form: 'delta' | 'sotw', typeUrl: string): Buffer {
    const known = this.#constants[form]
    let bytes = known.get(typeUrl)
    if (bytes === undefined) {
      const numbers = { delta, sotw }[form]
      bytes = Buffer.concat([field(numbers.typeUrl, typeUrl), field(numbers.controlPlane, field(1, this.#controlPlane))])
      known.set(typeUrl, bytes)
    }
    return bytes
  }
}

/** Per resource and form the bytes before its own; its own are never copied. */
const heads: Readonly<Record<Form, WeakMap<Resource, Buffer>>> = { delta: new WeakMap(), sotw: new WeakMap(), wrapped: new WeakMap() }

function frames(resources: readonly Resource[], form: Form): Buffer[] {
  const parts: Buffer[] = []
  const known = heads[form]
  for (const resource of resources) {
    let head = known.get(resource)
    if (head === undefined) known.set(resource, (head = headOf(resource, form)))
    parts.push(head, resource.bytes)
  }
  return parts
}

/** Everything of a response's element that precedes the resource's bytes, which come last in each message around them. */
function headOf({ type, name, version, bytes }: Resource, form: Form): Buffer {
  const asAny = anyHead(typeUrls[type], bytes.length)
  if (form === 'sotw') return around(sotw.resources, asAny, bytes.length)
  const asResource = Buffer.concat([field(1, version), field(3, name), around(2, asAny, bytes.length)])
  if (form === 'delta') return around(delta.resources, asResource, bytes.length)
  const inAny = Buffer.concat([
    anyHead('type.googleapis.com/envoy.service.discovery.v3.Resource', asResource.length + bytes.length),
    asResource,
  ])
  return around(sotw.resources, inAny, bytes.length)
}

function anyHead(typeUrl: string, length: number): Buffer {
  return Buffer.concat([field(1, typeUrl), tagAndLength(2, length)])
}

/** Begins a field that holds `head` and then `rest` more bytes. */
function around(number: number, head: Buffer, rest: number): Buffer {
  return Buffer.concat([tagAndLength(number, head.length + rest), head])
}

function field(number: number, value: string | Buffer): Buffer {
  const size = Buffer.byteLength(value)
  const start = 1 + sizeOfVarint(size)
  const bytes = Buffer.allocUnsafe(start + size)
  writeHead(bytes, 0, (number << 3) | 2, size)
  if (typeof value === 'string') bytes.write(value, start)
  else bytes.set(value, start)
  return bytes
}

function tagAndLength(number: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(1 + sizeOfVarint(length))
  writeHead(bytes, 0, (number << 3) | 2, length)
  return bytes
}
