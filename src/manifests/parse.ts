import { finish, type Steps } from '../model/steps.ts'
import type { ManifestProblem } from './contract.ts'
import { type FieldPath } from './field-path.ts'
import type { Manifest } from './object.ts'
import { annotatedManifests } from './annotation.ts'
import { splitDocuments } from './split-documents.ts'
import { toManifests } from './to-manifest.ts'
import { parseDocument } from './yaml-document.ts'

export interface ParsedManifests {
  readonly objects: readonly Manifest[]
  readonly problems: readonly ManifestProblem[]
}

/** A file over this size is refused: no configuration is that large, and a wrong path may lead anywhere. */
export const maxManifestBytes = 10 * 1024 * 1024

interface Given {
  /** How messages call the text: `file:line`. */
  readonly file: string
  /** Of objects without one. */
  readonly namespace: string
}

/**
 * Reads YAML (or JSON) text into objects. Each document is judged alone; lists of kind `List` are flattened; objects in the
 * `getambassador.io/config` annotation follow the object that carries them (emissary-resources.md 0).
 */
export function parseManifests(text: string, given: Given): ParsedManifests {
  return finish(parsing(text, given))
}

/** The same, with a pause before every document: for whoever has something else to do meanwhile. */
export function* parsing(text: string, given: Given): Steps<ParsedManifests> {
  const objects: Manifest[] = []
  const problems: ManifestProblem[] = []
  if (text.length > maxManifestBytes) {
    problems.push({ code: 'manifest-unreadable', at: given.file, text: `is larger than ${maxManifestBytes} bytes; split the file` })
    return { objects, problems }
  }
  for (const source of splitDocuments(text)) {
    yield
    for (const document of parseDocument(source)) {
      if (!document.ok) {
        problems.push({ code: 'manifest-unreadable', at: `${given.file}:${document.line}`, text: document.text })
        continue
      }
      const locate = (path: FieldPath) => `${given.file}:${document.lineOf(path)}`
      const read = toManifests(document.value, { namespace: given.namespace, locate })
      problems.push(...read.problems)
      for (const object of read.objects) {
        const annotated = annotatedManifests(object)
        objects.push(object, ...annotated.objects)
        problems.push(...annotated.problems)
      }
    }
  }
  return { objects, problems }
}
