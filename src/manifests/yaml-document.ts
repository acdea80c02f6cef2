import { Composer, type Document, Lexer, LineCounter, type Node, Parser, isMap, isScalar, isSeq } from 'yaml'
import { errorText } from '../model/errors.ts'
import { finish, type Steps } from '../model/steps.ts'
import type { FieldPath } from './field-path.ts'

/** A document's value, or why there is none. Lines count from 1 at the beginning of the text. */
export type DocumentValue =
  | { readonly ok: true; readonly value: unknown; readonly lineOf: (path: FieldPath) => number }
  | { readonly ok: false; readonly line: number; readonly text: string }

/** More aliases than this may not resolve from one anchor: a few lines could otherwise describe gigabytes. */
const maxAliases = 100
/** Lexical tokens of one step: well below a millisecond. */
const perStep = 128

/**
 * Parses one document text, which may hold several documents ended by `...`; documents without content are left out. YAML 1.2 core
 * schema, so `yes` and `on` are text. `lineOf` parses again when asked later on: syntax trees of thousands of accepted objects are not kept.
 */
export function* parseDocument(text: string): Steps<readonly DocumentValue[]> {
  const parsed = yield* read(text)
  // While the objects of the document are read their lines are asked for one after the other.
  const kept = new WeakRef(parsed)
  return parsed.documents.flatMap((document, index): DocumentValue[] => {
    const failure = document.errors[0] ?? document.warnings[0]
    if (failure !== undefined) {
      const { line } = parsed.counter.linePos(failure.pos[0])
      return [{ ok: false, line, text: `no valid YAML: ${failure.message.replace(/:$/, '')}; correct the document` }]
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) return []
    try {
      const value: unknown = document.toJS({ maxAliasCount: maxAliases })
      return [{ ok: true, value, lineOf: linesOf(kept, text, index) }]
    } catch (error) {
      // The library throws for an alias that would expand too far.
      return [{ ok: false, line: 1, text: `no usable YAML: ${errorText(error)}; write the values out` }]
    }
  })
}

/** Apart, for a function made where the tree is at hand would hold it. */
function linesOf(kept: WeakRef<Parsed>, text: string, index: number): (path: FieldPath) => number {
  return path => lineOf(kept.deref() ?? finish(read(text)), index, path)
}

interface Parsed {
  readonly documents: readonly Document.Parsed[]
  readonly counter: LineCounter
}

/** What the library's `parseAllDocuments` does, in steps. */
function* read(text: string): Steps<Parsed> {
  const counter = new LineCounter()
  counter.addNewLine(0)
  const parser = new Parser(counter.addNewLine)
  const composer = new Composer({ uniqueKeys: true })
  const documents: Document.Parsed[] = []
  let tokens = 0
  for (const lexeme of new Lexer().lex(text)) {
    if (++tokens % perStep === 0) yield
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token))
  }
  for (const token of parser.end()) documents.push(...composer.next(token))
  documents.push(...composer.end())
  return { documents, counter }
}

/** Line of the nearest existing ancestor of the field. */
function lineOf({ documents, counter }: Parsed, index: number, path: FieldPath): number {
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
  return counter.linePos(offset).line
}

function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0
}
