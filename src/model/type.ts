import type { Type as TypeBox } from 'typebox'

/** Marks what need not be there; no key of JSON Schema, and lost on no copy. */
const optional = Symbol('optional')

type Schema = Record<string, unknown> & { readonly [optional]?: true }
type Properties = Readonly<Record<string, Schema>>
type Options = Readonly<Record<string, unknown>>
interface ObjectSchema extends Schema {
  readonly properties: Properties
}

const entriesOf = (properties: Properties): (readonly [string, Schema])[] => Object.entries(properties)
const object = (properties: Properties, options?: Options): Schema => {
  const required = entriesOf(properties).flatMap(([name, schema]) => (schema[optional] === true ? [] : [name]))
  return { type: 'object', ...(required.length > 0 && { required }), properties, ...options }
}
const of = (type: string) => (options?: Options) => ({ type, ...options })
const asOptional = (schema: Schema): Schema => ({ ...schema, [optional]: true })

const builders = {
  Array: (items: Schema, options?: Options) => ({ type: 'array', items, ...options }),
  Boolean: of('boolean'),
  Enum: (values: readonly string[], options?: Options) => ({ enum: values, ...options }),
  /** The schema of one property. */
  Index: ({ properties }: ObjectSchema, [name]: readonly string[]) => properties[name ?? ''],
  Integer: of('integer'),
  Literal: (value: string | number | boolean, options?: Options) => ({ type: typeof value, const: value, ...options }),
  Null: of('null'),
  Number: of('number'),
  Object: object,
  Optional: asOptional,
  Partial: ({ properties }: ObjectSchema, options?: Options) =>
    object(Object.fromEntries(entriesOf(properties).map(([name, schema]) => [name, asOptional(schema)])), options),
  Pick: ({ properties }: ObjectSchema, names: readonly string[], options?: Options) =>
    object(Object.fromEntries(entriesOf(properties).filter(([name]) => names.includes(name))), options),
  /** Keys are any text: what is told of them is for the reader of the code. */
  Record: (_key: Schema, value: Schema, options?: Options) => ({ type: 'object', patternProperties: { '^.*$': value }, ...options }),
  String: of('string'),
  Union: (anyOf: readonly Schema[], options?: Options) => ({ anyOf, ...options }),
  Unknown: (options?: Options) => ({ ...options }),
  Unsafe: (schema: Schema) => schema,
}

/**
 * JSON Schemas whose static type is known (`Static` of TypeBox): the builders of TypeBox that we use, with its types and what it gives. At run
 * time TypeBox is 370 modules and 8 MB, nearly all of them for what we leave to ajv.
 */
export const Type = builders as unknown as Pick<typeof TypeBox, keyof typeof builders>
