import { describe, isMapping } from './check-schema.ts'
import type { ManifestProblem } from './contract.ts'
import { type FieldPath, pathText } from './field-path.ts'
import { clusterScopedKinds, type Manifest } from './object.ts'
import { readSecret } from './secret.ts'

export interface ReadValue {
  readonly objects: readonly Manifest[]
  readonly problems: readonly ManifestProblem[]
}

/** What a value is read with. */
export interface ReadContext {
  readonly namespace: string
  /** `file:line` of a field of the document. */
  readonly locate: (path: FieldPath) => string
}

const nothing: Readonly<Record<string, never>> = Object.freeze({})
const topLevel = new Set(['apiVersion', 'kind', 'metadata', 'spec', 'status'])

/** Makes objects of a document's value: one, or the items of a `List`. */
export function toManifests(value: unknown, context: ReadContext): ReadValue {
  if (isMapping(value) && typeof value['kind'] === 'string' && value['kind'].endsWith('List') && Array.isArray(value['items'])) {
    const items = value['items'].map((item: unknown, index) =>
      toManifests(item, { ...context, locate: path => context.locate(['items', index, ...path]) }),
    )
    return { objects: items.flatMap(item => item.objects), problems: items.flatMap(item => item.problems) }
  }
  const read = toManifest(value, context)
  return 'path' in read
    ? { objects: [], problems: [{ code: 'manifest-invalid', at: context.locate(read.path), text: read.text }] }
    : { objects: [read], problems: [] }
}

interface Refusal {
  readonly path: FieldPath
  readonly text: string
}

function toManifest(value: unknown, context: ReadContext): Manifest | Refusal {
  if (!isMapping(value)) return refusal([], `a document must be a mapping with apiVersion, kind and metadata, got ${describe(value)}`)
  const { apiVersion, kind } = value
  if (typeof kind !== 'string' || kind === '') return refusal(['kind'], `kind must be text such as Mapping, got ${describe(kind)}`)
  if (typeof apiVersion !== 'string' || apiVersion === '')
    return refusal(['apiVersion'], `apiVersion of this ${kind} must be text such as getambassador.io/v3alpha1, got ${describe(apiVersion)}`)
  const metadata = value['metadata']
  if (!isMapping(metadata))
    return refusal(['metadata'], `metadata of this ${kind} must be a mapping with a name, got ${describe(metadata)}`)
  const name = metadata['name']
  const namespace = clusterScopedKinds.has(kind) ? '' : (metadata['namespace'] ?? context.namespace)
  const wrongName = nameProblem('metadata.name', name)
  if (typeof name !== 'string' || wrongName !== '') return refusal(['metadata', 'name'], `${kind}: ${wrongName}`)
  const wrongNamespace = namespace === '' && clusterScopedKinds.has(kind) ? '' : nameProblem('metadata.namespace', namespace)
  if (typeof namespace !== 'string' || wrongNamespace !== '')
    return refusal(['metadata', 'namespace'], `${kind} ${name}: ${wrongNamespace}`)
  const labels = textMap(metadata['labels'], ['metadata', 'labels'])
  if ('path' in labels) return refusal(labels.path, `${kind} ${namespace}/${name}: ${labels.text}`)
  const annotations = textMap(metadata['annotations'], ['metadata', 'annotations'])
  if ('path' in annotations) return refusal(annotations.path, `${kind} ${namespace}/${name}: ${annotations.text}`)
  const stray = apiVersion.startsWith('getambassador.io/') ? Object.keys(value).find(key => !topLevel.has(key)) : undefined
  if (stray !== undefined)
    return refusal(
      [stray],
      `${kind} ${namespace}/${name}: unknown field "${stray}" at the top level; fields of a ${kind} belong under spec`,
    )
  const secret = kind === 'Secret' && apiVersion === 'v1' ? readSecret(value) : undefined
  if (secret !== undefined && 'path' in secret) return refusal(secret.path, `Secret ${namespace}/${name}: ${secret.text}`)
  return makeManifest(
    { apiVersion, kind, namespace, name, labels: labels.map, annotations: annotations.map, spec: secret ?? value['spec'] ?? nothing },
    context.locate,
  )
}

/** Adds the reference to what was read. */
export function makeManifest(read: Omit<Manifest, 'ref' | 'locate'>, locate: ReadContext['locate']): Manifest {
  const { kind, namespace, name } = read
  return { ...read, ref: Object.freeze({ kind, namespace, name, at: locate([]) }), locate }
}

/** Why this is no name of an object; empty if it is one. Names must not contain what separates them in keys and messages. */
export function nameProblem(field: string, value: unknown): string {
  if (value === undefined) return `${field} is missing`
  if (typeof value !== 'string') return `${field} must be text, got ${describe(value)}; put it in quotes`
  if (!/^[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?$/.test(value))
    return `${field} must be letters, digits, "-", "_" and "." (at most 253), got ${describe(value)}`
  return ''
}

function textMap(value: unknown, path: FieldPath): { readonly map: Readonly<Record<string, string>> } | Refusal {
  if (value === undefined || value === null) return { map: nothing }
  if (!isMapping(value)) return refusal(path, `${pathText(path)} must be a mapping, got ${describe(value)}`)
  const wrong = Object.entries(value).find(([, one]) => typeof one !== 'string')
  if (wrong !== undefined) {
    const quoted = typeof wrong[1] === 'number' || typeof wrong[1] === 'boolean' ? '; put it in quotes' : ''
    return refusal([...path, wrong[0]], `${pathText([...path, wrong[0]])} must be text, got ${describe(wrong[1])}${quoted}`)
  }
  return { map: value as Readonly<Record<string, string>> }
}

function refusal(path: FieldPath, text: string): Refusal {
  return { path, text }
}
