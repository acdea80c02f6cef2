import { Memo } from '../model/memo.ts'
import { finish, type Steps } from '../model/steps.ts'
import type { ManifestProblem } from './contract.ts'
import type { Manifest } from './object.ts'
import { annotatedManifests } from './annotation.ts'
import { splitDocuments } from './split-documents.ts'
import { toManifests } from './to-manifest.ts'
import { type DocumentValue, parseDocument } from './yaml-document.ts'

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

/** What texts of one file said, so that a document which stays as it is stays the same objects. */
export class ParseMemo {
  /** By the document's text. */
  readonly values = new Memo<string, readonly DocumentValue[]>()
  /** By the same, made of the line it stands at. */
  readonly objects = new Memo<string, ParsedManifests>()

  /** The text was read. */
  endRound(): void {
    this.values.endRound()
    this.objects.endRound()
  }
}

/**
 * Reads YAML (or JSON) text into objects. Each document is judged alone; lists of kind `List` are flattened; objects in the
 * `getambassador.io/config` annotation follow the object that carries them (emissary-resources.md 0).
 */
export function parseManifests(text: string, given: Given): ParsedManifests {
  return finish(parsing(text, given))
}

/**
 * The same, in steps.
 * @param memo of former texts of the same file
 */
export function* parsing(text: string, given: Given, memo = new ParseMemo()): Steps<ParsedManifests> {
  if (text.length > maxManifestBytes) {
    const problem = {
      code: 'manifest-unreadable',
      at: given.file,
      text: `is larger than ${maxManifestBytes} bytes; split the file`,
    } as const
    return { objects: [], problems: [problem] }
  }
  const read: ParsedManifests[] = []
  for (const source of splitDocuments(text)) {
    yield
    const values = memo.values.find(source.text, []) ?? memo.values.keep(source.text, [], yield* parseDocument(source.text))
    const madeOf = [source.line, given.file, given.namespace]
    read.push(memo.objects.find(source.text, madeOf) ?? memo.objects.keep(source.text, madeOf, manifestsOf(values, source.line, given)))
  }
  memo.endRound()
  return { objects: read.flatMap(one => one.objects), problems: read.flatMap(one => one.problems) }
}

/** The objects of documents that begin at a line of a file. */
function manifestsOf(documents: readonly DocumentValue[], firstLine: number, { file, namespace }: Given): ParsedManifests {
  const objects: Manifest[] = []
  const problems: ManifestProblem[] = []
  const place = (line: number): string => `${file}:${firstLine - 1 + line}`
  for (const document of documents) {
    if (!document.ok) {
      problems.push({ code: 'manifest-unreadable', at: place(document.line), text: document.text })
      continue
    }
    const read = toManifests(document.value, { namespace, locate: path => place(document.lineOf(path)) })
    problems.push(...read.problems)
    for (const object of read.objects) {
      const annotated = annotatedManifests(object)
      objects.push(object, ...annotated.objects)
      problems.push(...annotated.problems)
    }
  }
  return { objects, problems }
}
