const newline = 0x0a

/** Cuts text that arrives in pieces into its lines. */
export class JsonLines {
  #rest: Buffer[] = []

  /** Takes the next piece; gives the lines that ended in it, without empty ones. */
  push(piece: Buffer): readonly string[] {
    const lines: string[] = []
    let start = 0
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, start)) {
      const line = piece.subarray(start, end)
      const whole = this.#rest.length === 0 ? line : Buffer.concat([...this.#rest, line])
      this.#rest = []
      if (whole.length > 0) lines.push(whole.toString('utf8'))
      start = end + 1
    }
    if (start < piece.length) this.#rest.push(piece.subarray(start))
    return lines
  }
}
