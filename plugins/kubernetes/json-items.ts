/** What was found in a piece of a list's answer. */
type Item = Buffer

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const itemsKey = Buffer.from('"items"')

/**
 * Cuts the elements of the top-level array `items` out of a JSON object that arrives in pieces, so that each is parsed on its own and no
 * answer, however long, holds up the event loop. Understands no more of JSON than strings and brackets: what it cuts is parsed by others.
 */
export class JsonItems {
  /** Bytes not given out yet. */
  #buffer: Buffer = Buffer.alloc(0)
  /** Up to here the buffer has been looked at. */
  #position = 0
  #depth = 0
  #inString = false
  #escaped = false
  #stringStart = 0
  /** The last string at the top was `"items"`, and no comma came since. */
  #atItems = false
  #inItems = false
  /** Where the current item, or the envelope's current part, begins. */
  #start = 0
  readonly #envelope: Buffer[] = []

  /** Takes the next piece; gives the items that ended in it. */
  push(piece: Buffer): readonly Item[] {
    const kept = this.#buffer.subarray(this.#start)
    this.#position -= this.#start
    this.#stringStart -= this.#start
    this.#start = 0
    this.#buffer = kept.length === 0 ? piece : Buffer.concat([kept, piece])
    return this.#scan()
  }

  /** Everything but the items, once all pieces are in: an object whose `items` is empty. Throws SyntaxError if the object has no end. */
  end(): Readonly<Record<string, unknown>> {
    if (this.#depth !== 0 || this.#inItems) throw new SyntaxError('the list ends in the middle')
    const text = Buffer.concat([...this.#envelope, this.#buffer.subarray(this.#start)]).toString('utf8')
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  }

  #scan(): readonly Item[] {
    const items: Item[] = []
    const buffer = this.#buffer
    let depth = this.#depth
    let inString = this.#inString
    let escaped = this.#escaped
    let position = this.#position
    for (; position < buffer.length; position++) {
      const byte = buffer[position] as number
      if (inString) {
        if (escaped) escaped = false
        else if (byte === backslash) escaped = true
        else if (byte === quote) {
          inString = false
          if (depth === 1) this.#atItems = buffer.subarray(this.#stringStart, position + 1).equals(itemsKey)
        }
      } else if (byte === quote) {
        inString = true
        if (depth === 1) this.#stringStart = position
      } else if (byte === openBrace || byte === openBracket) {
        depth++
        if (depth === 2 && byte === openBracket && this.#atItems) {
          this.#inItems = true
          this.#envelope.push(Buffer.from(buffer.subarray(this.#start, position + 1)))
          this.#start = position + 1
        } else if (depth === 3 && this.#inItems) this.#start = position
      } else if (byte === closeBrace || byte === closeBracket) {
        depth--
        if (depth === 2 && this.#inItems) {
          items.push(buffer.subarray(this.#start, position + 1))
          this.#start = position + 1
        } else if (depth === 1 && this.#inItems) {
          this.#inItems = false
          this.#start = position
        }
      } else if (byte === comma && depth === 1) this.#atItems = false
      else if (byte === comma && depth === 2 && this.#inItems) this.#start = position + 1
    }
    this.#depth = depth
    this.#inString = inString
    this.#escaped = escaped
    this.#position = position
    // Between items only space is left over; strings at the top that go on in the next piece are kept with the envelope.
    return items
  }
}
