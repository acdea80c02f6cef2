import { describe, isMapping } from './check-schema.ts'
import type { ManifestProblem } from './contract.ts'
import type { Manifest } from './object.ts'
import { refText } from '../model/object-ref.ts'
import { finish } from '../model/steps.ts'
import { splitDocuments } from './split-documents.ts'
import { type ReadValue, makeManifest, nameProblem, toManifests } from './to-manifest.ts'
import { parseDocument } from './yaml-document.ts'

/** The annotation in which Emissary takes objects on any Kubernetes object. */
const configAnnotation = 'getambassador.io/config'

/**
 * Objects in the annotation of an object (emissary-resources.md 0). They are flat (fields beside `kind` and `name`, no spec) or whole;
 * namespace and labels are the carrier's, and so is the place that messages name.
 */
export function annotatedManifests(carrier: Manifest): ReadValue {
  const text = carrier.annotations[configAnnotation]
  const objects: Manifest[] = []
  const problems: ManifestProblem[] = []
  if (text === undefined) return { objects, problems }
  const at = carrier.locate(['metadata', 'annotations', configAnnotation])
  const locate = () => `${at} (annotation of ${refText(carrier.ref)})`
  const refuse = (reason: string) => problems.push({ code: 'manifest-invalid', at: locate(), text: reason })
  const documents = splitDocuments(text).flatMap(({ text: one, line }) => finish(parseDocument(one)).map(document => ({ document, line })))
  for (const { document, line } of documents) {
    if (!document.ok) refuse(`line ${line - 1 + document.line} of the annotation is ${document.text}`)
    else if (isMapping(document.value) && 'metadata' in document.value) {
      const read = toManifests(document.value, { namespace: carrier.namespace, locate })
      objects.push(...read.objects)
      problems.push(...read.problems)
    } else {
      const read = flatManifest(document.value, carrier, locate)
      if (typeof read === 'string') refuse(read)
      else objects.push(read)
    }
  }
  return { objects, problems }
}

function flatManifest(value: unknown, carrier: Manifest, locate: () => string): Manifest | string {
  if (!isMapping(value)) return `an object in the annotation must be a mapping, got ${describe(value)}`
  const { apiVersion, kind, name, namespace = carrier.namespace, ...spec } = value
  if (typeof kind !== 'string' || kind === '') return `kind must be text such as Mapping, got ${describe(kind)}`
  if (typeof apiVersion !== 'string' || apiVersion === '') return `apiVersion of this ${kind} must be text, got ${describe(apiVersion)}`
  const wrong = nameProblem('name', name) || nameProblem('namespace', namespace)
  if (wrong !== '' || typeof name !== 'string' || typeof namespace !== 'string') return `${kind}: ${wrong}`
  return makeManifest({ apiVersion, kind, namespace, name, labels: carrier.labels, annotations: {}, spec }, locate)
}
