/** Text that nobody may see by accident, such as a private key: in logs, in JSON and in messages it is `[redacted]`. */
export class HiddenText {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Only for encoding it into what is sent to those who may have it. */
  reveal(): string {
    return this.#text
  }

  toJSON(): string {
    return '[redacted]'
  }

  toString(): string {
    return '[redacted]'
  }
}
