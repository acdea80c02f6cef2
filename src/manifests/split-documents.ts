/** One document of a YAML stream. */
export interface DocumentText {
  readonly text: string
  /** Line of its first character within the file, from 1. */
  readonly line: number
}

/**
 * Cuts a YAML stream at its `---` lines before any parsing, so that an unclosed quote or bracket cannot swallow the documents behind it.
 * YAML forbids `---` at the start of a line within every scalar, so nothing valid is cut. Directives stay with the document they open.
 */
export function splitDocuments(text: string): readonly DocumentText[] {
  const documents: DocumentText[] = []
  let start = 0
  let line = 1
  for (const marker of text.matchAll(/^---(?=\s|$)/gm)) {
    const before = text.slice(start, marker.index)
    if (onlyDirectives(before)) continue
    documents.push({ text: before, line })
    line += before.split('\n').length - 1
    start = marker.index
  }
  documents.push({ text: text.slice(start), line })
  return documents
}

function onlyDirectives(text: string): boolean {
  const lines = text.split('\n').filter(one => one.trim() !== '' && !one.startsWith('#'))
  return lines.length > 0 && lines.every(one => one.startsWith('%'))
}
