import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

/** A place in the settings: `['sources', 0, 'address']`. */
export type Path = readonly (string | number)[]

/** One thing that is wrong, and where. */
export interface Problem {
  readonly path: Path
  readonly text: string
}

/** A settings file as YAML, which remembers on which line everything stands. */
export interface SettingsDocument {
  /** The content, without keys whose value is empty (null): those are not set. `{}` for an empty file. */
  readonly content: unknown
  /** What is wrong with the YAML itself, each with its line. */
  readonly faults: readonly string[]
  /** `file:line` of a key or list item; of the nearest ancestor that exists otherwise. */
  locate(path: Path): string
}

/**
 * Parses a settings file; never throws.
 * @param text the content
 * @param file how messages call the file
 */
export function parseSettings(text: string, file: string): SettingsDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`
  const faults = document.errors.map(error => `${at(error.pos[0])}: ${error.message}`)
  const locate = (path: Path) => {
    let node: unknown = document.contents
    let offset = 0
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(document)
      if (isMap(node)) {
        const pair = node.items.find(item => isScalar(item.key) && String(item.key.value) === String(part))
        if (pair === undefined) break
        offset = (pair.key as Node).range?.[0] ?? offset
        node = pair.value
      } else if (isSeq(node) && typeof part === 'number' && node.items[part] !== undefined) {
        node = node.items[part]
        offset = (node as Node).range?.[0] ?? offset
      } else break
    }
    return at(offset)
  }
  if (faults.length > 0) return { content: {}, faults, locate }
  try {
    return { content: withoutNulls(document.toJS() ?? {}), faults, locate }
  } catch (error) {
    // An alias without its anchor, or aliases that multiply without bound.
    return { content: {}, faults: [`${file}: ${error instanceof Error ? error.message : String(error)}`], locate }
  }
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([key, item]) => [key, withoutNulls(item)]),
  )
}
