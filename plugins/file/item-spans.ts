/** Where an item of `services:` stands in the file: byte offsets, from its line's start to the next item's. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** The items of a file in plain block form. */
export interface ItemSpans {
  /** Column of the items' dashes. */
  readonly indent: number
  readonly spans: readonly Span[]
}

const servicesLine = /^services:(?: +#.*)?$/
const newline = 10
const carriageReturn = 13
const space = 32
const hash = 35
const dash = 45

/**
 * Finds the items of a file whose only top-level key is `services:` with a block list below, without parsing them. Undefined when the
 * file has another form, which a whole YAML parser must read. Items found here, each parsed by itself, give what parsing the whole file
 * gives: a line that is not indented deeper than the dashes can only be a comment or the next item, or the item before is malformed.
 */
export function findItems(bytes: Buffer): ItemSpans | undefined {
  let at = 0
  let marked = false
  let headed = false
  while (at < bytes.length) {
    const end = lineEnd(bytes, at)
    const column = firstColumn(bytes, at, end)
    if (headed && isDash(bytes, at + column)) {
      const spans = spansBetween(bytes, at, bytes.length, column)
      return spans === undefined ? undefined : { indent: column, spans }
    }
    if (!isVoid(bytes, at + column, end)) {
      const line = bytes.toString('latin1', at, end).trimEnd()
      if (!marked && !headed && line === '---') marked = true
      else if (!headed && servicesLine.test(line)) headed = true
      else return undefined
    }
    at = end
  }
  return undefined
}

/**
 * The items between two offsets. `from` is the start of an item's line; the bytes up to `to` end a line.
 * Undefined when a line belongs to no item.
 */
export function spansBetween(bytes: Buffer, from: number, to: number, indent: number): Span[] | undefined {
  const spans: Span[] = []
  let start = -1
  let at = from
  while (at < to) {
    const end = Math.min(lineEnd(bytes, at), to)
    const column = firstColumn(bytes, at, end)
    if (column <= indent && !isVoid(bytes, at + column, end)) {
      if (column !== indent || !isDash(bytes, at + column)) return undefined
      if (start !== -1) spans.push({ start, end: at })
      start = at
    }
    at = end
  }
  if (start !== -1) spans.push({ start, end: to })
  return spans
}

function lineEnd(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(newline, from)
  return end === -1 ? bytes.length : end + 1
}

function firstColumn(bytes: Buffer, from: number, to: number): number {
  let at = from
  while (at < to && bytes[at] === space) at++
  return at - from
}

function isDash(bytes: Buffer, at: number): boolean {
  return bytes[at] === dash && bytes[at + 1] === space
}

/** A blank line or a comment. */
function isVoid(bytes: Buffer, at: number, end: number): boolean {
  const byte = bytes[at]
  return at >= end || byte === newline || byte === carriageReturn || byte === hash
}
