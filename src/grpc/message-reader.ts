import { type GrpcStatus, grpcCodes } from './status.ts'

/** One message as it came. */
export interface FramedMessage {
  readonly isCompressed: boolean
  readonly bytes: Buffer
}

/** The stream cannot be read any further. */
export class UnreadableMessage extends Error {
  readonly status: GrpcStatus

  constructor(status: GrpcStatus) {
    super(status.message)
    this.status = status
  }
}

const prefixBytes = 5
const firstBytes = 16 * 1024

/**
 * Cuts the bytes of a stream into messages: a flag, a length of four bytes, the message (gRPC over HTTP2, "Length-Prefixed-Message"). A message
 * that came in one piece is not copied; of one in many pieces never more is held than twice what came of it, whatever its prefix promises
 * and however small the pieces are.
 */
export class MessageReader {
  readonly #most: number
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  readonly #prefix = Buffer.alloc(prefixBytes)
  #prefixFilled = 0
  #body: Buffer = Buffer.alloc(0)
  #bodyFilled = 0

  /** `most`: the longest message that is taken, bytes. */
  constructor(most: number) {
    this.#most = most
  }

  /** Something of a message is here, and something is missing. */
  get isWithinMessage(): boolean {
    return this.#prefixFilled > 0 || this.#at < this.#chunk.length
  }

  /** Takes the next piece of the stream, once `next` has nothing more to give of the one before. */
  take(chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next message that is complete. Throws UnreadableMessage on what can be no message, or one too long. */
  next(): FramedMessage | undefined {
    while (this.#prefixFilled < prefixBytes && this.#at < this.#chunk.length)
      this.#prefix[this.#prefixFilled++] = this.#chunk[this.#at++] ?? 0
    if (this.#prefixFilled < prefixBytes) return undefined
    const flag = this.#prefix[0]
    if (flag !== 0 && flag !== 1)
      throw new UnreadableMessage({ code: grpcCodes.internal, message: `a message begins with byte ${String(flag)}` })
    const length = this.#prefix.readUInt32BE(1)
    if (length > this.#most)
      throw new UnreadableMessage({
        code: grpcCodes.resourceExhausted,
        message: `a message of ${String(length)} bytes, where ${String(this.#most)} are taken`,
      })
    const bytes = this.#bodyOf(length)
    if (bytes === undefined) return undefined
    this.#prefixFilled = 0
    return { isCompressed: flag === 1, bytes }
  }

  #bodyOf(length: number): Buffer | undefined {
    if (this.#bodyFilled === 0 && this.#chunk.length - this.#at >= length) {
      const bytes = this.#chunk.subarray(this.#at, this.#at + length)
      this.#at += length
      return bytes
    }
    const part = this.#chunk.subarray(this.#at, this.#at + length - this.#bodyFilled)
    this.#at += part.length
    const filled = this.#bodyFilled + part.length
    if (filled > this.#body.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(length, Math.max(2 * filled, firstBytes)))
      this.#body.copy(grown, 0, 0, this.#bodyFilled)
      this.#body = grown
    }
    part.copy(this.#body, this.#bodyFilled)
    this.#bodyFilled = filled
    if (filled < length) return undefined
    const bytes = this.#body.subarray(0, length)
    this.#body = Buffer.alloc(0)
    this.#bodyFilled = 0
    return bytes
  }
}
