import protobuf from 'protobufjs'

/** A message as a plain object: camelCase fields, enum values by name, 64-bit integers as numbers. */
export type PlainMessage = Readonly<Record<string, unknown>>

/**
 * What protobufjs can encode, from what people write: enum names become numbers, map keys are sorted. Fields set to undefined are left out.
 * @throws TypeError naming the path of an unknown field, an unknown enum value or a value of the wrong kind
 */
export function toWireForm(type: protobuf.Type, message: PlainMessage, path: string): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined) continue
    const field = type.fields[name]
    if (field === undefined) throw new TypeError(`${path}: ${type.name} has no field "${name}"`)
    field.resolve()
    result[name] = fieldValue(field, value, `${path}.${name}`)
  }
  return result
}

function fieldValue(field: protobuf.Field, value: unknown, path: string): unknown {
  if (field instanceof protobuf.MapField) {
    const entries = Object.entries(record(value, path)).sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(entries.map(([key, item]) => [key, single(field, item, `${path}[${key}]`)]))
  }
  if (!field.repeated) return single(field, value, path)
  if (!Array.isArray(value)) throw new TypeError(`${path}: expected a list`)
  return value.map((item, index) => single(field, item, `${path}[${String(index)}]`))
}

function single(field: protobuf.Field, value: unknown, path: string): unknown {
  const type = field.resolvedType
  if (type instanceof protobuf.Type) return toWireForm(type, record(value, path), path)
  if (type instanceof protobuf.Enum) {
    // By name; by number where that is what people know a value by, such as a status code.
    const number = typeof value === 'string' ? type.values[value] : typeof value === 'number' ? value : undefined
    if (number === undefined || type.valuesById[number] === undefined)
      throw new TypeError(`${path}: ${type.name} has no value ${JSON.stringify(value)}`)
    return number
  }
  const expected = field.type === 'string' ? 'string' : field.type === 'bool' ? 'boolean' : field.type === 'bytes' ? 'object' : 'number'
  if (typeof value !== expected) throw new TypeError(`${path}: expected a ${expected}, got ${JSON.stringify(value)}`)
  return value
}

function record(value: unknown, path: string): PlainMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError(`${path}: expected an object`)
  return value as PlainMessage
}
