import { connect, type Socket } from 'node:net'

const frameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const
const initialWindowSetting = 4
/** As Envoy's. */
const streamWindow = 16 * 1024 * 1024
const connectionWindow = 24 * 1024 * 1024
/** Every peer takes frames of this size. */
const frameMost = 16_384

/**
 * One gRPC call on a connection of its own, over HTTP/2 by hand: a thousand of them in one process must cost much less than the server that is
 * measured. Answers' headers are not read; a call that ends, ends its connection.
 */
export class Http2Stream {
  readonly #socket: Socket
  readonly #onMessage: (message: Buffer, at: number) => void
  readonly #header = Buffer.alloc(9)
  #headerFilled = 0
  #payload = Buffer.alloc(0)
  #payloadFilled = 0
  #message: Buffer | undefined
  #messageFilled = 0
  #prefix = Buffer.alloc(0)
  /** What was read and not yet given back as window. */
  #unreturned = 0
  #sendable = 65_535
  #sendableOnConnection = 65_535
  readonly #unsent: Buffer[] = []
  /** Bytes that came, HTTP/2 framing included. */
  received = 0
  sent = 0

  /** `onMessage`: takes each message, and when its last bytes were read (`at` of the chunk they came in). */
  constructor(port: number, path: string, now: () => number, onMessage: (message: Buffer, at: number) => void, onEnd: () => void) {
    this.#onMessage = onMessage
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('data', chunk => {
      const at = now()
      this.received += chunk.length
      this.#read(chunk, at)
    })
    this.#socket.on('error', () => undefined)
    this.#socket.once('close', onEnd)
    const settings = Buffer.alloc(6)
    settings.writeUInt16BE(initialWindowSetting, 0)
    settings.writeUInt32BE(streamWindow, 2)
    this.#write(
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        frame(frameType.settings, 0, 0, settings),
        frame(frameType.windowUpdate, 0, 0, uint32(connectionWindow - 65_535)),
        frame(frameType.headers, 4, 1, requestHeaders(path)),
      ]),
    )
  }

  send(message: Buffer): void {
    const framed = Buffer.concat([Buffer.from([0]), uint32(message.length), message])
    for (let from = 0; from < framed.length; from += frameMost) this.#unsent.push(framed.subarray(from, from + frameMost))
    this.#flush()
  }

  /** Ends the connection without a word. */
  cut(): void {
    this.#socket.resetAndDestroy()
  }

  #flush(): void {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      if (next.length > Math.min(this.#sendable, this.#sendableOnConnection)) return
      this.#unsent.shift()
      this.#sendable -= next.length
      this.#sendableOnConnection -= next.length
      this.#write(frame(frameType.data, 0, 1, next))
    }
  }

  #write(bytes: Buffer): void {
    this.sent += bytes.length
    this.#socket.write(bytes)
  }

  #read(chunk: Buffer, at: number): void {
    for (let from = 0; from < chunk.length; ) {
      if (this.#headerFilled < 9) {
        const taken = chunk.copy(this.#header, this.#headerFilled, from, from + 9 - this.#headerFilled)
        this.#headerFilled += taken
        from += taken
        if (this.#headerFilled < 9) return
        this.#payloadFilled = 0
        this.#payload = this.#header[3] === frameType.data ? Buffer.alloc(0) : Buffer.alloc(this.#header.readUIntBE(0, 3))
      }
      const length = this.#header.readUIntBE(0, 3)
      const part = chunk.subarray(from, from + length - this.#payloadFilled)
      from += part.length
      if (this.#header[3] === frameType.data) this.#takeData(part, at)
      else part.copy(this.#payload, this.#payloadFilled)
      this.#payloadFilled += part.length
      if (this.#payloadFilled < length) return
      this.#headerFilled = 0
      this.#frameEnded()
    }
  }

  #frameEnded(): void {
    const [type, flags] = [this.#header[3], this.#header[4] ?? 0]
    const stream = this.#header.readUInt32BE(5) & 0x7fffffff
    const acknowledges = (flags & 1) !== 0
    if (type === frameType.settings && !acknowledges) {
      for (let at = 0; at + 6 <= this.#payload.length; at += 6)
        if (this.#payload.readUInt16BE(at) === initialWindowSetting) this.#sendable += this.#payload.readUInt32BE(at + 2) - 65_535
      this.#write(frame(frameType.settings, 1, 0, Buffer.alloc(0)))
      this.#flush()
    } else if (type === frameType.ping && !acknowledges) this.#write(frame(frameType.ping, 1, 0, this.#payload))
    else if (type === frameType.windowUpdate) {
      if (stream === 0) this.#sendableOnConnection += this.#payload.readUInt32BE(0)
      else this.#sendable += this.#payload.readUInt32BE(0)
      this.#flush()
    } else if (type === frameType.reset || type === frameType.goAway || (stream === 1 && acknowledges && type !== frameType.settings))
      this.#socket.destroy()
    if (type === frameType.data) this.#returnWindow(this.#payloadFilled)
  }

  #returnWindow(read: number): void {
    this.#unreturned += read
    if (this.#unreturned < streamWindow / 2) return
    const update = uint32(this.#unreturned)
    this.#unreturned = 0
    this.#write(Buffer.concat([frame(frameType.windowUpdate, 0, 0, update), frame(frameType.windowUpdate, 0, 1, update)]))
  }

  #takeData(part: Buffer, at: number): void {
    for (let from = 0; from < part.length; ) {
      if (this.#message === undefined) {
        const missing = part.subarray(from, from + 5 - this.#prefix.length)
        this.#prefix = Buffer.concat([this.#prefix, missing])
        from += missing.length
        if (this.#prefix.length < 5) return
        this.#message = Buffer.allocUnsafe(this.#prefix.readUInt32BE(1))
        this.#messageFilled = 0
        this.#prefix = Buffer.alloc(0)
      }
      const taken = part.copy(this.#message, this.#messageFilled, from)
      from += taken
      this.#messageFilled += taken
      if (this.#messageFilled < this.#message.length) return
      const message = this.#message
      this.#message = undefined
      this.#onMessage(message, at)
    }
  }
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** HPACK without a dynamic table: indexed `:method: POST` and `:scheme: http`, the rest as literals. */
function requestHeaders(path: string): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
  const [pathName, authorityName] = [Buffer.from([0x04]), Buffer.from([0x01])]
  const literal = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0]), text(name), text(value)])
  return Buffer.concat([
    Buffer.from([0x83, 0x86]),
    pathName,
    text(path),
    authorityName,
    text('bench'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ])
}
