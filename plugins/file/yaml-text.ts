import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { errorText } from '../../src/model/errors.ts'

/** A parsed YAML text that knows its lines. */
export interface YamlText {
  readonly value: unknown
  /** Line, from 1, of the node at a path, or of the nearest node above it that exists. */
  lineOf(path: readonly (string | number)[]): number
}

/** Why a text is no YAML. */
export interface YamlFault {
  readonly line: number
  readonly text: string
}

/** Parses a text as one YAML 1.2 document; gives the first fault when it is malformed, has several documents or a dangling alias. */
export function parseYaml(text: string): YamlText | { readonly fault: YamlFault } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const [error] = document.errors
  if (error !== undefined) return { fault: { line: Math.max(1, lines.linePos(error.pos[0]).line), text: error.message } }
  let value: unknown
  try {
    value = document.toJS()
  } catch (cause) {
    return { fault: { line: 1, text: errorText(cause) } }
  }
  return {
    value,
    lineOf(path) {
      let node: unknown = document.contents
      let offset = 0
      for (const part of path) {
        if (isMap(node)) {
          const pair = node.items.find(({ key }) => isScalar(key) && key.value === part)
          if (pair === undefined) break
          offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset
          node = pair.value
        } else if (isSeq(node) && typeof part === 'number') {
          const item = node.items[part]
          if (isMap(item) || isSeq(item) || isScalar(item)) offset = item.range?.[0] ?? offset
          node = item
        } else break
      }
      return Math.max(1, lines.linePos(offset).line)
    },
  }
}
