import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type PeerCertificate, TLSSocket } from 'node:tls'
import { gunzip, inflate } from 'node:zlib'
import { MessageReader, UnreadableMessage } from './message-reader.ts'
import { acceptedEncodings, type Encoding, type RequestHead } from './request-head.ts'
import { type GrpcStatus, grpcCodes, statusFields } from './status.ts'

/** What happens on a call. */
export interface GrpcCallListener {
  message(bytes: Buffer): void
  /** The client says nothing more. */
  ended(): void
  /** It is over, however it came to that; called once, and last. */
  closed(): void
}

/** Messages up to this size are joined before they are sent; of longer ones the pieces go as they are, and stay shared. */
const joinedMost = 16 * 1024
/** What a timer of Node's can count. */
const timerMost = 2 ** 31 - 1

const responseFields: OutgoingHttpHeaders = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': acceptedEncodings,
}

/** One call: messages in both directions, and a status at its end (gRPC over HTTP2). Times are of the real clock. */
export class GrpcCall {
  readonly #stream: ServerHttp2Stream
  readonly #encoding: Encoding
  readonly #mostBytes: number
  readonly #reader: MessageReader
  #listener: GrpcCallListener | undefined
  #deadline: NodeJS.Timeout | undefined
  #isEnded = false
  /** The listener asked for a pause, or a message is being decompressed: nothing is read meanwhile. */
  #isPaused = false
  #isInflating = false
  #hasClientEnded = false

  /** `mostBytes`: the longest message that is taken. */
  constructor(stream: ServerHttp2Stream, { encoding, timeoutMs }: RequestHead, mostBytes: number) {
    this.#stream = stream
    this.#encoding = encoding
    this.#mostBytes = mostBytes
    this.#reader = new MessageReader(mostBytes)
    if (timeoutMs !== undefined) {
      const expire = (): void => this.end({ code: grpcCodes.deadlineExceeded, message: 'the deadline that the client set is over' })
      this.#deadline = setTimeout(expire, Math.min(timeoutMs, timerMost)).unref()
    }
  }

  /** Where the client is: address and port, or `unknown` on a Unix socket. */
  get peer(): string {
    const { remoteAddress, remotePort } = this.#stream.session?.socket ?? {}
    return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${String(remotePort)}`
  }

  /** What the client showed, if it had to show one. */
  get certificate(): PeerCertificate | undefined {
    const socket = this.#stream.session?.socket
    if (!(socket instanceof TLSSocket)) return undefined
    const certificate = socket.getPeerCertificate()
    // Without one, it is an object without properties.
    return 'raw' in certificate ? certificate : undefined
  }

  /** Begins to read. */
  listen(listener: GrpcCallListener): void {
    this.#listener = listener
    const stream = this.#stream
    stream.on('data', (chunk: Buffer) => {
      if (this.#isEnded) return
      this.#reader.take(chunk)
      this.#read()
    })
    stream.once('end', () => {
      this.#hasClientEnded = true
      this.#checkEnd()
    })
    // What went wrong is told by `close`.
    stream.on('error', () => undefined)
    stream.once('close', () => {
      this.#isEnded = true
      clearTimeout(this.#deadline)
      listener.closed()
    })
  }

  /**
   * Sends one message, given in pieces that must not change any more. `flushed` is called once the socket has taken it, or with an error when
   * it never will.
   */
  write(parts: readonly Buffer[], flushed?: (error?: Error | null) => void): void {
    const stream = this.#stream
    if (this.#isEnded || this.#isGone) return
    if (!stream.headersSent) stream.respond(responseFields, { waitForTrailers: true })
    let length = 0
    for (const part of parts) length += part.length
    if (length <= joinedMost) {
      stream.write(prefixed(parts, length, length), flushed)
      return
    }
    stream.cork()
    stream.write(prefixed([], 0, length))
    parts.forEach((part, index) => stream.write(part, index === parts.length - 1 ? flushed : undefined))
    stream.uncork()
  }

  /** Ends it once everything written is sent. What the client may still say is not heard. */
  end(status: GrpcStatus = { code: grpcCodes.ok, message: '' }): void {
    const stream = this.#stream
    if (this.#isEnded) return
    this.#isEnded = true
    clearTimeout(this.#deadline)
    if (this.#isGone) return
    if (!stream.headersSent) {
      stream.respond({ ...responseFields, ...statusFields(status) }, { endStream: true })
      this.#hearNoMore()
      return
    }
    stream.once('wantTrailers', () => {
      stream.sendTrailers(statusFields(status))
      this.#hearNoMore()
    })
    stream.end()
  }

  /** Ends it at once, and drops what was not sent: for a client that does not read, which learns no status. */
  abort(): void {
    // gRPC over HTTP2, "Errors": a client takes this for RESOURCE_EXHAUSTED.
    this.#stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  /** Stops reading; the client's window fills. */
  pause(): void {
    this.#isPaused = true
    this.#stream.pause()
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#isInflating) this.#stream.resume()
  }

  /** The client reset it; `close` comes only when what it sent before was read. */
  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  #read(): void {
    try {
      for (let message = this.#reader.next(); message !== undefined; message = this.#reader.next()) {
        if (message.isCompressed) {
          this.#inflate(message.bytes)
          return
        }
        this.#listener?.message(message.bytes)
        if (this.#isEnded) return
      }
      this.#checkEnd()
    } catch (error) {
      if (!(error instanceof UnreadableMessage)) throw error
      this.end(error.status)
    }
  }

  /** Messages go on in their order once this one is readable. */
  #inflate(bytes: Buffer): void {
    if (this.#encoding === 'identity')
      throw new UnreadableMessage({ code: grpcCodes.internal, message: 'a message is compressed, and grpc-encoding does not say how' })
    const decompress = this.#encoding === 'gzip' ? gunzip : inflate
    this.#isInflating = true
    this.#stream.pause()
    decompress(bytes, { maxOutputLength: this.#mostBytes }, (error, message) => {
      this.#isInflating = false
      if (this.#isEnded) return
      if (error !== null) {
        const isTooLong = 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
        this.end(
          isTooLong
            ? { code: grpcCodes.resourceExhausted, message: `a message is longer than ${String(this.#mostBytes)} bytes` }
            : { code: grpcCodes.internal, message: `a message is not compressed by ${this.#encoding}` },
        )
        return
      }
      this.#listener?.message(message)
      this.#read()
      if (!this.#isPaused) this.resume()
    })
  }

  #checkEnd(): void {
    if (!this.#hasClientEnded || this.#isInflating || this.#isEnded) return
    if (this.#reader.isWithinMessage) this.end({ code: grpcCodes.internal, message: 'the request ends within a message' })
    else this.#listener?.ended()
  }

  /** A server that has said everything may ask the client to stop (RFC 9113, 8.1); what still comes is read and dropped. */
  #hearNoMore(): void {
    this.#stream.resume()
    setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR))
  }
}

/** The prefix of a message of `length` bytes, and after it the first `size` of them. */
function prefixed(parts: readonly Buffer[], size: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(5 + size)
  bytes[0] = 0
  bytes.writeUInt32BE(length, 1)
  let at = 5
  for (const part of parts) at += part.copy(bytes, at)
  return bytes
}
