import { type Document, LineCounter, type Node, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml'
import { errorText } from '../model/errors.ts'
import type { FieldPath } from './field-path.ts'
import type { DocumentText } from './split-documents.ts'

/** A document's value, or why there is none. `line` counts within the file. */
export type DocumentValue =
  | { readonly ok: true; readonly value: unknown; readonly lineOf: (path: FieldPath) => number }
  | { readonly ok: false; readonly line: number; readonly text: string }

/** More aliases than this may not resolve from one anchor: a few lines could otherwise describe gigabytes. */
const maxAliases = 100

/**
 * Parses one document text, which may hold several documents ended by `...`; documents without content are left out. YAML 1.2 core
 * schema, so `yes` and `on` are text. `lineOf` parses again when asked later on: syntax trees of thousands of accepted objects are not kept.
 */
export function parseDocument(source: DocumentText): readonly DocumentValue[] {
  const parsed = read(source)
  // While the objects of the document are read their lines are asked for one after the other.
  const kept = new WeakRef(parsed)
  return parsed.documents.flatMap((document, index): DocumentValue[] => {
    const failure = document.errors[0] ?? document.warnings[0]
    if (failure !== undefined) {
      const line = source.line - 1 + (failure.linePos?.[0].line ?? 1)
      const [what = failure.message] = failure.message.split(/ at line \d+/)
      return [{ ok: false, line, text: `no valid YAML: ${what.replace(/:$/, '')}; correct the document` }]
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return []
    try {
      const value: unknown = document.toJS({ maxAliasCount: maxAliases })
      return [{ ok: true, value, lineOf: path => lineOf(kept.deref() ?? read(source), source.line, index, path) }]
    } catch (error) {
      // The library throws for an alias that would expand too far.
      return [{ ok: false, line: source.line, text: `no usable YAML: ${errorText(error)}; write the values out` }]
    }
  })
}

interface Parsed {
  readonly documents: readonly Document.Parsed[]
  readonly counter: LineCounter
}

function read(source: DocumentText): Parsed {
  const counter = new LineCounter()
  const documents = parseAllDocuments(source.text, { lineCounter: counter, uniqueKeys: true })
  return { documents: 'empty' in documents ? [] : documents, counter }
}

/** Line of the nearest existing ancestor of the field. */
function lineOf({ documents, counter }: Parsed, firstLine: number, index: number, path: FieldPath): number {
  let node: unknown = documents[index]?.contents
  let offset = startOf(node)
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(part))
      if (pair === undefined) break
      offset = startOf(pair.key)
      node = pair.value
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part]
      if (node === undefined) break
      offset = startOf(node)
    } else break
  }
  return firstLine - 1 + counter.linePos(offset).line
}

function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0
}
