import type { SchemaNode } from '../../src/manifests/check-schema.ts'

/** A node of a structural schema (apiextensions.k8s.io/v1): one `type` per node, nothing that Kubernetes cannot prune or default by. */
export type Structural = Readonly<Record<string, unknown>>

const preserved: Structural = { 'x-kubernetes-preserve-unknown-fields': true }
/** Keywords that mean the same in both. */
const shared = ['minItems', 'minLength', 'minimum', 'maximum', 'pattern', 'description'] as const

/**
 * Turns a schema of ours into a structural one. Where that form cannot say as much (a list or a text, unknown values) it says less: the API
 * server then accepts, and the object's status tells what is wrong. It never refuses what our own check accepts.
 */
export function structural(node: SchemaNode): Structural {
  const words = node.description === undefined ? {} : { description: node.description }
  if (node.anyOf !== undefined) return { ...words, ...ofUnion(node.anyOf) }
  if (node.enum !== undefined || Object.hasOwn(node, 'const')) return { ...words, ...ofValues(node.enum ?? [node.const]) }
  if (node.type === undefined) return { ...words, ...preserved }
  const keywords = Object.fromEntries(shared.filter(key => node[key] !== undefined).map(key => [key, node[key]]))
  return { type: node.type, ...keywords, ...ofItems(node), ...ofFields(node) }
}

function ofItems({ type, items }: SchemaNode): Structural {
  if (type !== 'array') return {}
  return { items: items === undefined ? preserved : structural(items) }
}

function ofFields(node: SchemaNode): Structural {
  if (node.type !== 'object') return {}
  const anyKey = Object.values(node.patternProperties ?? {})[0]
  if (node.properties !== undefined) {
    const properties = Object.fromEntries(Object.entries(node.properties).map(([key, field]) => [key, structural(field)]))
    const open = node.additionalProperties === true ? preserved : {}
    return { properties, ...open, ...(node.required === undefined || node.required.length === 0 ? {} : { required: node.required }) }
  }
  return anyKey === undefined ? preserved : { additionalProperties: structural(anyKey) }
}

/** A choice of values is one node of their type; text or whole number is Kubernetes' int-or-string; other unions have no type in common. */
function ofUnion(options: readonly SchemaNode[]): Structural {
  if (options.every(option => Object.hasOwn(option, 'const'))) return ofValues(options.map(option => option.const))
  const types = new Set(options.map(option => option.type))
  const [type] = types
  if (types.size === 1 && type !== undefined && type !== 'object' && type !== 'array') return { type }
  if ([...types].every(one => one === 'string' || one === 'integer')) return { 'x-kubernetes-int-or-string': true }
  return preserved
}

function ofValues(values: readonly unknown[]): Structural {
  const [type] = new Set(values.map(value => (Number.isInteger(value) ? 'integer' : typeof value)))
  return { type, enum: values }
}
