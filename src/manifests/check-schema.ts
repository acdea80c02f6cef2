import type { TSchema } from 'typebox'
import { didYouMean } from '../model/nearest.ts'
import { type FieldPath, pathText } from './field-path.ts'
import { noEffectKeyword } from './schema/fields.ts'

/** What one walk over a value found. */
export interface SchemaFindings {
  readonly problems: readonly { readonly path: FieldPath; readonly text: string }[]
  /** Of fields that are set and have no effect: what and why. */
  readonly notices: readonly string[]
}

/** The JSON Schema keywords that our object schemas use; kinds.test.ts proves that there are no others. */
export interface SchemaNode {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly SchemaNode[]
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly minItems?: number
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly pattern?: string
  readonly description?: string
  /** Only false and true: fields that the schema does not name are right, too; whoever knows more says what they are. */
  readonly additionalProperties?: unknown
  readonly [noEffectKeyword]?: string
}

type Found = { path: FieldPath; text: string }[]

/**
 * Checks a value against a schema as strictly as Kubernetes does: no conversion, unknown fields refused (with a suggestion), fields named
 * `v2*` ignored (emissary-resources.md 0). A walk of our own, as one pass gives messages for people and the fields that have no effect.
 * @param root where the value stands in its object, e.g. `['spec']`
 */
export function checkSchema(schema: TSchema, value: unknown, root: FieldPath): SchemaFindings {
  const problems: Found = []
  const notices: string[] = []
  walk(schema, value, root)
  return { problems, notices }

  function walk(node: SchemaNode, given: unknown, path: FieldPath): void {
    if (node[noEffectKeyword] !== undefined) notices.push(`${pathText(path)} has no effect: ${node[noEffectKeyword]}`)
    if (node.anyOf !== undefined) {
      if (!node.anyOf.some(option => checkSchema(option, given, path).problems.length === 0)) refuse(path, node, given)
    } else if (node.enum !== undefined || Object.hasOwn(node, 'const')) {
      if (!(node.enum ?? [node.const]).includes(given)) refuse(path, node, given)
    } else if (node.type !== undefined) {
      if (!hasType(node.type, given)) refuse(path, node, given)
      else if (typeof given === 'number') checkNumber(node, given, path)
      else if (typeof given === 'string') checkText(node, given, path)
      else if (Array.isArray(given)) checkList(node, given, path)
      else if (isMapping(given)) checkMapping(node, given, path)
    }
  }

  function refuse(path: FieldPath, node: SchemaNode, given: unknown): void {
    problems.push({ path, text: `expected ${expectation(node)}, got ${describe(given)}${remedy(node, given)}` })
  }

  function checkNumber(node: SchemaNode, given: number, path: FieldPath): void {
    if (given < (node.minimum ?? -Infinity) || given > (node.maximum ?? Infinity)) refuse(path, node, given)
  }

  function checkText(node: SchemaNode, given: string, path: FieldPath): void {
    if (given.length < (node.minLength ?? 0)) problems.push({ path, text: 'must not be empty' })
    else if (node.pattern !== undefined && !new RegExp(node.pattern, 'u').test(given)) refuse(path, node, given)
  }

  function checkList(node: SchemaNode, given: readonly unknown[], path: FieldPath): void {
    if (given.length < (node.minItems ?? 0)) problems.push({ path, text: 'must have at least one element' })
    const items = node.items
    if (items !== undefined) given.forEach((item, index) => walk(items, item, [...path, index]))
  }

  function checkMapping(node: SchemaNode, given: Readonly<Record<string, unknown>>, path: FieldPath): void {
    const anyKey = Object.values(node.patternProperties ?? {})[0]
    for (const [key, item] of Object.entries(given)) {
      const field = node.properties !== undefined && Object.hasOwn(node.properties, key) ? node.properties[key] : anyKey
      if (field !== undefined) walk(field, item, [...path, key])
      else if (node.properties !== undefined && node.additionalProperties !== true && !key.startsWith('v2')) {
        const hint = didYouMean(key, Object.keys(node.properties))
        problems.push({ path: [...path, key], text: `unknown field${hint === '' ? '; remove it' : `: ${hint}`}` })
      }
    }
    for (const key of node.required ?? []) {
      if (!Object.hasOwn(given, key))
        problems.push({ path: [...path, key], text: `is required: ${expectation(node.properties?.[key] ?? {})}` })
    }
  }
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function hasType(type: string, given: unknown): boolean {
  if (type === 'integer') return Number.isSafeInteger(given)
  if (type === 'array') return Array.isArray(given)
  if (type === 'object') return isMapping(given)
  return typeof given === type
}

/** What a node wants, in words. */
function expectation(node: SchemaNode): string {
  if (node.anyOf !== undefined) return node.anyOf.map(expectation).join(' or ')
  if (node.enum !== undefined) return `one of ${node.enum.map(String).join(', ')}`
  if (Object.hasOwn(node, 'const')) return String(node.const)
  if (node.type === 'integer' || node.type === 'number') return `${node.type === 'integer' ? 'a whole number' : 'a number'}${range(node)}`
  if (node.type === 'string') return node.pattern !== undefined && node.description !== undefined ? node.description : 'text'
  const words: Record<string, string> = { boolean: 'true or false', array: 'a list', object: 'a mapping' }
  return words[node.type ?? ''] ?? 'a value'
}

function range(node: SchemaNode): string {
  if (node.minimum !== undefined && node.maximum !== undefined) return ` from ${node.minimum} to ${node.maximum}`
  return node.minimum === undefined ? '' : ` of at least ${node.minimum}`
}

/** A value in words, shortened. */
export function describe(given: unknown): string {
  if (given === null || given === undefined) return 'nothing'
  if (typeof given === 'string') return `the text "${given.length > 60 ? `${given.slice(0, 60)}…` : given}"`
  if (typeof given === 'number' || typeof given === 'bigint') return `the number ${given}`
  if (typeof given === 'boolean') return `the boolean ${given}`
  return Array.isArray(given) ? 'a list' : 'a mapping'
}

/** The usual slip behind a wrong type. */
function remedy(node: SchemaNode, given: unknown): string {
  const wanted = node.type
  if (wanted === 'string' && node.enum === undefined && (typeof given === 'number' || typeof given === 'boolean'))
    return '; put it in quotes'
  if ((wanted === 'integer' || wanted === 'number') && typeof given === 'string' && /^[0-9]+$/.test(given)) return '; remove the quotes'
  if (wanted === 'boolean' && (given === 'true' || given === 'false')) return '; remove the quotes'
  if (wanted === 'array' && (typeof given === 'string' || typeof given === 'number')) return '; write it as a list: [value]'
  if (typeof given === 'string' && node.enum !== undefined) {
    const hint = didYouMean(given, node.enum.map(String))
    return hint === '' ? '' : `; ${hint}`
  }
  return ''
}
