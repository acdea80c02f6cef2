import t from 'tap'
import type { TSchema } from 'typebox'
import { checkManifest } from '../../src/manifests/check.ts'
import { checkSchema, type SchemaNode } from '../../src/manifests/check-schema.ts'
import { apiOf, isServedKind, type ServedKind, servedSchemas } from '../../src/manifests/kinds.ts'
import { pathText } from '../../src/manifests/field-path.ts'

/** The schemas say what is right; these tests derive from them what is wrong, so that no kind and no field can be forgotten. */

type Path = readonly (string | number)[]
type Asserts = Pick<typeof t, 'equal' | 'ok'>
interface Place {
  readonly path: Path
  readonly node: SchemaNode
}

const texts = ['a', '/a', '1s', '1', '10.0.0.1', '1s-2s']

/** Some right value with every field that the schema names, and with one element in each list. */
function full(node: SchemaNode): unknown {
  const [option] = node.anyOf ?? []
  if (option !== undefined) return full(option)
  if (node.enum !== undefined || Object.hasOwn(node, 'const')) return (node.enum ?? [node.const])[0]
  switch (node.type) {
    case 'string':
      return node.pattern === undefined ? 'a' : texts.find(text => new RegExp(node.pattern ?? '', 'u').test(text))
    case 'integer':
    case 'number':
      return node.minimum ?? 1
    case 'boolean':
      return true
    case 'array':
      return node.items === undefined ? [] : [full(node.items)]
    case 'object':
      return Object.fromEntries(Object.entries(fieldsOf(node)).map(([key, field]) => [key, full(field)]))
    default:
      return 'anything'
  }
}

/** A mapping with keys of any name has one. */
function fieldsOf(node: SchemaNode): Readonly<Record<string, SchemaNode>> {
  const [any] = Object.values(node.patternProperties ?? {})
  return node.properties ?? (any === undefined ? {} : { some: any })
}

/** Every place of `full(node)` that a schema node stands behind. */
function* places(node: SchemaNode, path: Path): Generator<Place> {
  yield { path, node }
  if (node.anyOf !== undefined) return
  if (node.type === 'array' && node.items !== undefined) yield* places(node.items, [...path, 0])
  if (node.type === 'object') for (const [key, field] of Object.entries(fieldsOf(node))) yield* places(field, [...path, key])
}

/** `value` with something else, or nothing, at the path below `spec`. */
function exchanged(value: unknown, [first, ...rest]: Path, by: unknown): unknown {
  if (first === undefined) return by
  const copy: Record<string | number, unknown> = Array.isArray(value) ? (Object.assign([], value) as never) : { ...(value as object) }
  if (rest.length === 0 && by === undefined) return Object.fromEntries(Object.entries(copy).filter(([key]) => key !== String(first)))
  copy[first] = exchanged(copy[first], rest, by)
  return copy
}

function pathsOf(kind: ServedKind, spec: unknown): { readonly state: string; readonly paths: readonly string[] } {
  const names = { namespace: 'default', name: 'x', labels: {}, annotations: {} }
  const ref = { kind, namespace: 'default', name: 'x', at: 'f.yaml:1' }
  const { status } = checkManifest({ apiVersion: apiOf(kind), kind, ...names, spec, ref, locate: () => 'f.yaml:1' }, ['default', 'a'])
  return { state: status.state, paths: status.problems.map(({ path }) => path) }
}

for (const kind of Object.keys(servedSchemas).filter(isServedKind)) {
  const schema: TSchema = servedSchemas[kind]
  const right = full(schema)
  const all = [...places(schema, ['spec'])]
  const refuses = (t: Asserts, path: Path, spec: unknown, what: string): void => {
    const found = pathsOf(kind, spec)
    t.equal(found.state, 'refused', `${pathText(path)} ${what}`)
    t.ok(found.paths.includes(pathText(path)), `the finding names ${pathText(path)}, got ${found.paths.join(', ')}`)
  }
  t.test(
    `${kind}: a wrong type at any of its ${String(all.length)} places, a missing and an unknown field are refused, by their path`,
    async t => {
      t.strictSame(checkSchema(schema, right, ['spec']).problems, [], 'what the test takes for right is right')
      for (const { path, node } of all) {
        const below = path.slice(1)
        if (node.type === undefined && node.anyOf === undefined && node.enum === undefined && !Object.hasOwn(node, 'const')) continue
        // No union of ours takes nothing; no other type is a mapping beside mappings themselves.
        refuses(t, path, exchanged(right, below, node.type === 'object' ? 7 : node.anyOf === undefined ? {} : null), 'of a wrong type')
        if (node.type !== 'object' || node.properties === undefined) continue
        for (const key of node.required ?? []) refuses(t, [...path, key], exchanged(right, [...below, key], undefined), 'is missing')
        if (node.additionalProperties === true) continue
        refuses(t, [...path, 'zzzzzzzz'], exchanged(right, [...below, 'zzzzzzzz'], 1), 'is unknown')
      }
    },
  )
}
