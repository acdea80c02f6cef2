import protobuf from 'protobufjs'

type FindType = (fullName: string) => protobuf.Type | undefined

const wrappers = new Set([
  'BoolValue',
  'BytesValue',
  'DoubleValue',
  'FloatValue',
  'Int32Value',
  'Int64Value',
  'StringValue',
  'UInt32Value',
  'UInt64Value',
])

/** The canonical proto3 JSON form of a decoded message: only fields that are set, wrappers bare, durations as text, Any expanded. */
export function toProtoJson(type: protobuf.Type, message: object, find: FindType): unknown {
  const special = wellKnown(type, message as Record<string, unknown>, find)
  if (special !== undefined) return special.json
  const result: Record<string, unknown> = {}
  for (const field of type.fieldsArray) {
    if (!Object.hasOwn(message, field.name)) continue
    field.resolve()
    const value = (message as Record<string, unknown>)[field.name]
    if (field instanceof protobuf.MapField) {
      const entries = Object.entries(value as object).map(([key, item]): [string, unknown] => [key, single(field, item, find)])
      if (entries.length > 0) result[field.name] = Object.fromEntries(entries)
    } else if (field.repeated) {
      const items = (value as unknown[]).map(item => single(field, item, find))
      if (items.length > 0) result[field.name] = items
    } else result[field.name] = single(field, value, find)
  }
  return result
}

function single(field: protobuf.Field, value: unknown, find: FindType): unknown {
  const type = field.resolvedType
  if (type instanceof protobuf.Type) return toProtoJson(type, value as object, find)
  if (type instanceof protobuf.Enum) return type.valuesById[value as number] ?? value
  if (field.type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64')
  return plainNumber(value)
}

/** 64-bit integers come as Long objects; ours are all small enough for a number. */
function plainNumber(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'toNumber' in value ? (value as { toNumber(): number }).toNumber() : value
}

function wellKnown(type: protobuf.Type, message: Record<string, unknown>, find: FindType): { json: unknown } | undefined {
  if (type.parent?.fullName !== '.google.protobuf') return undefined
  if (wrappers.has(type.name)) return { json: plainNumber(message['value']) ?? type.fields['value']?.defaultValue }
  switch (type.name) {
    case 'Duration': {
      const nanos = Number(message['nanos'])
      return {
        json: `${String(plainNumber(message['seconds']))}${nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`}s`,
      }
    }
    case 'Any':
      return { json: expand(String(message['type_url']), message['value'] as Uint8Array, find) }
    case 'Struct':
      return { json: structFields(type, message, find) }
    case 'Value':
      return { json: structValue(type, message, find) }
    case 'ListValue':
      return { json: (message['values'] as Record<string, unknown>[]).map(value => structValue(valueType(type), value, find)) }
    default:
      return undefined
  }
}

function expand(url: string, bytes: Uint8Array, find: FindType): object {
  const type = find(url.slice(url.lastIndexOf('/') + 1))
  if (type === undefined) return { '@type': url, value: Buffer.from(bytes).toString('base64') }
  const json = toProtoJson(type, type.decode(bytes), find)
  return typeof json === 'object' ? { '@type': url, ...json } : { '@type': url, value: json }
}

function structFields(type: protobuf.Type, message: Record<string, unknown>, find: FindType): object {
  const entries = Object.entries((message['fields'] ?? {}) as Record<string, Record<string, unknown>>)
  return Object.fromEntries(entries.map(([key, value]) => [key, structValue(valueType(type), value, find)]))
}

function structValue(type: protobuf.Type, message: Record<string, unknown>, find: FindType): unknown {
  const [kind] = Object.keys(message)
  const field = kind === undefined ? undefined : type.fields[kind]
  if (kind === undefined || field === undefined || kind === 'nullValue') return null
  field.resolve()
  return field.resolvedType instanceof protobuf.Type ? toProtoJson(field.resolvedType, message[kind] as object, find) : message[kind]
}

function valueType(type: protobuf.Type): protobuf.Type {
  return type.parent === null ? type : type.parent.lookupType('Value')
}
