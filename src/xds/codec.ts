import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'
import { toProtoJson } from './proto-json.ts'
import { type PlainMessage, toWireForm } from './wire-form.ts'

export type { PlainMessage }

/** A google.protobuf.Any, ready to be put into a message. */
export interface PlainAny {
  readonly type_url: string
  readonly value: Buffer
}

let loaded: protobuf.Root | undefined
const types = new Map<string, protobuf.Type>()

/** The type of a full name without leading dot. Descriptors are read on first use. Throws for a name they do not hold. */
function typeOf(fullName: string): protobuf.Type {
  let type = types.get(fullName)
  if (type === undefined) {
    loaded ??= protobuf.Root.fromJSON(
      JSON.parse(readFileSync(new URL('../../protos/descriptors.json', import.meta.url), 'utf8')) as protobuf.INamespace,
    )
    type = loaded.lookupType(fullName)
    types.set(fullName, type)
  }
  return type
}

/**
 * Encodes a message deterministically: maps are written in the order of their sorted keys. protobufjs drops what it does not know in
 * silence, so every field and enum value is checked first.
 * @throws TypeError naming the path of an unknown field, an unknown enum value or a value of the wrong kind
 */
export function encodeMessage(fullName: string, message: PlainMessage): Buffer {
  const type = typeOf(fullName)
  // In Node, protobufjs writes into a Buffer; its types say Uint8Array.
  return type.encode(toWireForm(type, message, fullName)).finish() as Buffer
}

/** Decodes a message to its canonical proto3 JSON form, each Any it holds expanded (`@type` and fields), so that Envoy reads it as configuration. */
export function decodeMessage(fullName: string, bytes: Uint8Array): Record<string, unknown> {
  const type = typeOf(fullName)
  return toProtoJson(type, type.decode(bytes), findType) as Record<string, unknown>
}

function findType(fullName: string): protobuf.Type | undefined {
  try {
    return typeOf(fullName)
  } catch {
    // Not one of ours: the caller shows its bytes.
    return undefined
  }
}

/** A message in an Any. */
export function any(fullName: string, message: PlainMessage): PlainAny {
  return { type_url: `type.googleapis.com/${fullName}`, value: encodeMessage(fullName, message) }
}

/** A google.protobuf.Duration of whole milliseconds. */
export function duration(ms: number): { seconds: number; nanos: number } {
  const seconds = Math.trunc(ms / 1000)
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) }
}
