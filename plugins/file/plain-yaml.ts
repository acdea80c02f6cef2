/**
 * Reads the plain subset of YAML in which endpoints files are usually written, 50 times as fast as a whole YAML parser: one list item whose
 * keys stand one per line, with scalars, one-line flow collections, and lists of such. What it does not know for certain to mean the same
 * in YAML 1.2 it gives back (`undefined`) to be read by the whole parser; a property test holds the two together.
 */
type Plain = string | number | readonly Plain[] | { [key: string]: Plain }

/** Words that YAML's core schema does not read as strings. */
const special = /^(?:null|true|false)$/i
const letter = /^[A-Za-z]/
const integer = /^(?:0|[1-9][0-9]{0,14})$/
const ipv4 = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/
const blankOrComment = /^ *(?:#.*)?$/
// Sticky: each matches at its lastIndex only. Without a space behind its colon, `a:b` is a scalar.
const header = /([A-Za-z]+):$/y
const key = /([A-Za-z]+): +/y
const doubleQuoted = /"([^"\\]*)"/y
const singleQuoted = /'([^']*)'(?!')/y
const plainWord = /([A-Za-z0-9][A-Za-z0-9_./-]*)(?=$| *[,\]}])/y

/** `text` is one item, from its dash on. Gives its value, or undefined when it is not written in the plain subset. */
export function parsePlainItem(text: string): Plain | undefined {
  const lines = text.split('\n')
  const first = /^( *)- (?=[A-Za-z])/.exec(lines[0] ?? '')
  if (first === null) return undefined
  const column = first[0].length
  const item: Record<string, Plain> = {}
  let list: Plain[] | undefined
  let listColumn = -1
  /** The map of the last item of the list, while its keys stand on lines of their own. */
  let open: Record<string, Plain> | undefined
  for (const [index, line] of lines.entries()) {
    if (index > 0 && blankOrComment.test(line)) continue
    const start = index === 0 ? column : indentOf(line)
    if (list !== undefined && line.startsWith('- ', start) && start >= column && (listColumn === -1 || start === listColumn)) {
      listColumn = start
      open = undefined
      const whole = parseWhole(line, start + 2)
      if (whole !== undefined) {
        list.push(whole)
        continue
      }
      open = {}
      if (!addPair(open, line, start + 2)) return undefined
      list.push(open)
    } else if (open !== undefined && start === listColumn + 2) {
      if (!addPair(open, line, start)) return undefined
    } else if (start === column) {
      if (list?.length === 0) return undefined
      list = undefined
      open = undefined
      listColumn = -1
      header.lastIndex = start
      const name = header.exec(line)?.[1]
      if (name === undefined) {
        if (!addPair(item, line, start)) return undefined
      } else {
        if (Object.hasOwn(item, name)) return undefined
        list = []
        item[name] = list
      }
    } else return undefined
  }
  // `key:` with nothing below is null in YAML.
  return list?.length === 0 ? undefined : item
}

function indentOf(line: string): number {
  let at = 0
  while (line.charCodeAt(at) === 32) at++
  return at
}

/** A flow map that fills the rest of the line. */
function parseWhole(line: string, at: number): Plain | undefined {
  if (line.charCodeAt(at) !== 123) return undefined
  const flow = new Flow(line, at)
  const value = flow.value()
  return value === undefined || flow.at !== line.length ? undefined : value
}

/** `key: value` from `at` to the end of the line; false when it is something else or the key is there already. */
function addPair(map: Record<string, Plain>, line: string, at: number): boolean {
  const flow = new Flow(line, at)
  const key = flow.key()
  if (key === undefined || Object.hasOwn(map, key)) return false
  const value = flow.value()
  if (value === undefined || flow.at !== line.length) return false
  map[key] = value
  return true
}

/** Recursive descent over one line. Every method moves `at` behind what it read, or gives undefined. */
class Flow {
  at: number
  readonly #line: string

  constructor(line: string, at: number) {
    this.#line = line
    this.at = at
  }

  key(): string | undefined {
    return this.#match(key)
  }

  value(): Plain | undefined {
    switch (this.#line.charCodeAt(this.at)) {
      case 123: // {
        return this.#map()
      case 91: // [
        return this.#list()
      case 34: // "
        return this.#match(doubleQuoted)
      case 39: // '
        return this.#match(singleQuoted)
      default:
        return this.#scalar()
    }
  }

  #scalar(): Plain | undefined {
    const word = this.#match(plainWord)
    if (word === undefined) return undefined
    if (letter.test(word)) return special.test(word) ? undefined : word
    if (integer.test(word)) return Number(word)
    return ipv4.test(word) ? word : undefined
  }

  #map(): Plain | undefined {
    const map: Record<string, Plain> = {}
    return this.#sequence(125, () => {
      const key = this.key()
      if (key === undefined || Object.hasOwn(map, key)) return false
      const value = this.value()
      if (value === undefined) return false
      map[key] = value
      return true
    })
      ? map
      : undefined
  }

  #list(): Plain | undefined {
    const list: Plain[] = []
    return this.#sequence(93, () => {
      const value = this.value()
      if (value === undefined) return false
      list.push(value)
      return true
    })
      ? list
      : undefined
  }

  /** Items with commas between them, up to the closing bracket. */
  #sequence(close: number, item: () => boolean): boolean {
    this.at++
    this.#skipSpaces()
    if (this.#line.charCodeAt(this.at) === close) {
      this.at++
      return true
    }
    for (;;) {
      if (!item()) return false
      this.#skipSpaces()
      const next = this.#line.charCodeAt(this.at++)
      if (next === close) return true
      if (next !== 44) return false
      this.#skipSpaces()
    }
  }

  #skipSpaces(): void {
    while (this.#line.charCodeAt(this.at) === 32) this.at++
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    const found = pattern.exec(this.#line)
    if (found === null) return undefined
    this.at += found[0].length
    return found[1] ?? ''
  }
}
