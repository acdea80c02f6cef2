import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { GrpcCall } from '../../src/grpc/grpc-call.ts'
import { GrpcServer, type GrpcServerGiven } from '../../src/grpc/grpc-server.ts'
import { grpcCodes } from '../../src/grpc/status.ts'
import { temporaryFolder } from '../tools/local.ts'
import { framed } from './framed.ts'

const messageMost = 1_000_000
const path = '/test.Echo/Say'

/** A server that sends each message back, and a connection to it. */
async function start(t: Test, given: Partial<GrpcServerGiven> = {}, serve: (call: GrpcCall) => void = echo) {
  const server = new GrpcServer({
    methods: new Map([[path, serve]]),
    messageMost,
    limits: { keepalive: { timeMs: 60_000, timeoutMs: 20_000 } },
    random: () => 0.5,
    failed: error => t.fail(error.message),
    ...given,
  })
  const port = await server.listen({ host: '127.0.0.1', port: 0 })
  const session = connect(`http://127.0.0.1:${String(port)}`)
  session.on('error', () => undefined)
  t.teardown(async () => {
    session.destroy()
    const drained = server.drain()
    server.cut()
    await drained
  })
  return { server, port, session }
}

let over = 0

function echo(call: GrpcCall): void {
  call.listen({ message: bytes => call.write([bytes]), ended: () => call.end(), closed: () => (over += 1) })
}

interface Answer {
  readonly status: number | undefined
  readonly code: number | undefined
  readonly text: string
  readonly accepts: unknown
  readonly body: Buffer
  /** Error code of HTTP/2. */
  readonly reset: number
}

function ask(session: ClientHttp2Session, fields: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...fields })
  stream.on('error', () => undefined)
  return stream
}

/** All that comes until the stream is closed. */
async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  const body: Buffer[] = []
  const fields: Record<string, unknown> = {}
  const add = (more: object): void => void Object.assign(fields, more)
  stream.on('response', add).on('trailers', add)
  stream.on('data', (chunk: Buffer) => void body.push(chunk))
  await once(stream, 'close')
  const code = fields['grpc-status']
  return {
    status: fields[':status'] as number | undefined,
    code: code === undefined ? undefined : Number(code),
    text: decodeURIComponent((fields['grpc-message'] as string | undefined) ?? ''),
    accepts: fields['grpc-accept-encoding'],
    body: Buffer.concat(body),
    reset: stream.rstCode,
  }
}

const hello = Buffer.from('hello')

t.test('each request and what it is answered', async t => {
  const { session } = await start(t)
  const cases: readonly {
    readonly what: string
    readonly fields?: OutgoingHttpHeaders
    readonly sends?: readonly Buffer[]
    readonly wants: Partial<Record<keyof Answer, unknown>>
  }[] = [
    { what: 'nothing', wants: { code: grpcCodes.ok, body: Buffer.alloc(0) } },
    { what: 'one message', sends: [framed(hello)], wants: { code: grpcCodes.ok, body: framed(hello) } },
    { what: 'an empty message', sends: [framed(Buffer.alloc(0))], wants: { code: grpcCodes.ok, body: framed(Buffer.alloc(0)) } },
    {
      what: 'one byte at a time',
      sends: [...framed(hello)].map(byte => Buffer.from([byte])),
      wants: { code: grpcCodes.ok, body: framed(hello) },
    },
    {
      what: 'a long message',
      sends: [framed(Buffer.alloc(messageMost, 7))],
      wants: { code: grpcCodes.ok, body: framed(Buffer.alloc(messageMost, 7)) },
    },
    {
      what: 'gzip, and plain after it',
      fields: { 'grpc-encoding': 'gzip' },
      sends: [Buffer.concat([framed(gzipSync(hello), 1), framed(Buffer.from('plain'))])],
      wants: { code: grpcCodes.ok, body: Buffer.concat([framed(hello), framed(Buffer.from('plain'))]) },
    },
    {
      what: 'deflate',
      fields: { 'grpc-encoding': 'deflate' },
      sends: [framed(deflateSync(hello), 1)],
      wants: { code: grpcCodes.ok, body: framed(hello) },
    },
    {
      what: 'gzip that is none',
      fields: { 'grpc-encoding': 'gzip' },
      sends: [framed(hello, 1)],
      wants: { code: grpcCodes.internal, text: /not compressed by gzip/ },
    },
    {
      what: 'gzip of more than is taken',
      fields: { 'grpc-encoding': 'gzip' },
      sends: [framed(gzipSync(Buffer.alloc(messageMost + 1)), 1)],
      wants: { code: grpcCodes.resourceExhausted },
    },
    {
      what: 'compressed, and nobody said how',
      sends: [framed(gzipSync(hello), 1)],
      wants: { code: grpcCodes.internal, text: /does not say how/ },
    },
    {
      what: 'a compression that is not understood',
      fields: { 'grpc-encoding': 'zstd' },
      sends: [framed(hello, 1)],
      wants: { status: 200, code: grpcCodes.unimplemented, text: /zstd/, accepts: 'identity,deflate,gzip' },
    },
    { what: 'a flag that is none', sends: [framed(hello, 2)], wants: { code: grpcCodes.internal, text: /byte 2/ } },
    {
      what: 'a message too long',
      sends: [framed(hello, 0, messageMost + 1)],
      wants: { code: grpcCodes.resourceExhausted, text: /1000001 bytes/ },
    },
    { what: 'half a prefix', sends: [Buffer.from([0, 0])], wants: { code: grpcCodes.internal, text: /within a message/ } },
    {
      what: 'half a message, after a whole one',
      sends: [framed(hello), framed(hello).subarray(0, 7)],
      wants: { code: grpcCodes.internal, text: /within a message/, body: framed(hello) },
    },
    {
      what: 'another path',
      fields: { ':path': '/test.Echo/Nö' },
      wants: { status: 200, code: grpcCodes.unimplemented, text: /there is no method/ },
    },
    { what: 'no gRPC', fields: { 'content-type': 'text/html' }, wants: { status: 415, code: undefined } },
    { what: 'another method', fields: { ':method': 'PUT' }, wants: { status: 405, code: undefined } },
    { what: 'a duration that is none', fields: { 'grpc-timeout': 'soon' }, wants: { code: grpcCodes.internal, text: /no duration/ } },
  ]
  for (const { what, fields, sends = [], wants } of cases) {
    const stream = ask(session, fields)
    const answer = answerOf(stream)
    for (const piece of sends) if (!stream.destroyed) stream.write(piece)
    stream.end()
    t.match(await answer, { reset: constants.NGHTTP2_NO_ERROR, ...wants }, what)
  }
  t.notOk(session.destroyed, 'none of them cost the connection')
})

t.test('an answer ends the call although the client goes on, and both sides free it', async t => {
  const before = over
  const { session } = await start(t, {}, call => {
    call.listen({
      message(bytes) {
        call.write([bytes])
        call.end({ code: grpcCodes.unavailable, message: 'später' })
      },
      ended: () => t.fail('the client never ends'),
      closed: () => (over += 1),
    })
  })
  const stream = ask(session)
  const answer = answerOf(stream)
  stream.write(framed(hello))
  t.match(await answer, { code: grpcCodes.unavailable, text: 'später', body: framed(hello), reset: constants.NGHTTP2_NO_ERROR })
  while (over === before) await new Promise(setImmediate)
  t.equal(over, before + 1)
})

t.test('a deadline ends the call, and a call that ended in time leaves none behind', async t => {
  const { session } = await start(t)
  t.match(await answerOf(ask(session, { 'grpc-timeout': '20m' })), { code: grpcCodes.deadlineExceeded })
  const late = ask(session, { 'grpc-timeout': '20m' })
  const answer = answerOf(late)
  late.write(framed(hello))
  t.match(await answer, { code: grpcCodes.deadlineExceeded, body: framed(hello) }, 'also after messages')
  const quick = ask(session, { 'grpc-timeout': '99999999H' })
  const ended = answerOf(quick)
  quick.end(framed(hello))
  t.match(await ended, { code: grpcCodes.ok })
})

t.test('a call that is cancelled, or whose connection breaks, is over for the server, too', async t => {
  const { session } = await start(t)
  for (const end of [
    (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_CANCEL),
    (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    () => session.destroy(),
  ]) {
    const before = over
    const stream = ask(session)
    stream.write(framed(hello))
    await once(stream, 'data')
    end(stream)
    while (over === before) await new Promise(setImmediate)
    t.equal(over, before + 1)
  }
})

t.test('a paused call reads nothing, and goes on where it was', async t => {
  const heard: string[] = []
  let opened: GrpcCall | undefined
  const { session } = await start(t, {}, call => {
    opened = call
    call.listen({
      message(bytes) {
        heard.push(bytes.toString())
        if (heard.length === 1) call.pause()
      },
      ended: () => call.end(),
      closed: () => undefined,
    })
  })
  const stream = ask(session, { 'grpc-encoding': 'gzip' })
  const answer = answerOf(stream)
  stream.write(framed(gzipSync(Buffer.from('one')), 1))
  while (heard.length < 1) await new Promise(setImmediate)
  stream.end(framed(Buffer.from('two')))
  await new Promise<void>((resolve, reject) => session.ping(error => (error === null ? resolve() : reject(error))))
  t.same(heard, ['one'])
  opened?.resume()
  t.match(await answer, { code: grpcCodes.ok })
  t.same(heard, ['one', 'two'])
})

t.test('a call that its client reset while it was paused takes writes and an end, and is over once it is read', async t => {
  for (const act of [(call: GrpcCall) => call.write([hello]), (call: GrpcCall) => call.end()]) {
    const before = over
    let opened: GrpcCall | undefined
    const { session } = await start(t, {}, call => {
      opened = call
      call.listen({ message: () => undefined, ended: () => undefined, closed: () => (over += 1) })
      call.pause()
    })
    const stream = ask(session)
    stream.write(framed(hello))
    stream.close(constants.NGHTTP2_NO_ERROR)
    await new Promise(resolve => stream.once('close', resolve))
    await new Promise<void>((resolve, reject) => session.ping(error => (error === null ? resolve() : reject(error))))
    t.equal(over, before, 'there is something left to read')
    if (opened !== undefined) act(opened)
    opened?.resume()
    while (over === before) await new Promise(setImmediate)
    t.equal(over, before + 1)
  }
})

t.test('a message in pieces arrives as one, and its caller hears when the socket took it', async t => {
  const parts = [Buffer.alloc(10, 'a'), Buffer.alloc(100_000, 'b'), Buffer.alloc(0), Buffer.alloc(10, 'c')]
  const flushed: string[] = []
  const { session } = await start(t, {}, call => {
    call.listen({
      message() {
        call.write(parts, () => flushed.push('long'))
        call.write([hello], () => flushed.push('short'))
        call.end()
      },
      ended: () => undefined,
      closed: () => undefined,
    })
  })
  const stream = ask(session)
  const answer = answerOf(stream)
  stream.write(framed(hello))
  t.same((await answer).body, Buffer.concat([framed(Buffer.concat(parts)), framed(hello)]))
  t.same(flushed, ['long', 'short'])
})

t.test('for a client that does not read, nothing counts as taken, and an abort ends the call at once', async t => {
  const before = over
  const flushed: string[] = []
  let opened: GrpcCall | undefined
  const { session } = await start(t, {}, call => {
    opened = call
    call.listen({
      message: () => call.write([Buffer.alloc(4_000_000)], error => error ?? flushed.push('all')),
      ended: () => undefined,
      closed: () => (over += 1),
    })
  })
  const stream = ask(session)
  stream.write(framed(hello))
  await once(stream, 'response')
  await new Promise<void>((resolve, reject) => session.ping(error => (error === null ? resolve() : reject(error))))
  t.same(flushed, [])
  opened?.abort()
  await new Promise(resolve => stream.resume().once('close', resolve))
  t.equal(stream.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  while (over === before) await new Promise(setImmediate)
  t.same(flushed, [])
})

t.test('what is no HTTP/2 is cut off, and nobody else hears of it', async t => {
  const { port, session } = await start(t)
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
  for (const junk of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    `${preface}${'\xff'.repeat(100)}`,
    `${preface}\0\0\x08\x06\0\0\0\0\x01${'\0'.repeat(8)}`,
  ]) {
    const socket = connectSocket(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.on('data', () => undefined)
    socket.write(Buffer.from(junk, 'latin1'))
    await once(socket, 'close')
  }
  const stream = ask(session)
  const answer = answerOf(stream)
  stream.end(framed(hello))
  t.match(await answer, { code: grpcCodes.ok, body: framed(hello) })
})

t.test('a Unix socket is listened on like an address', async t => {
  const { server } = await start(t)
  const socket = join(await temporaryFolder(t), 'grpc')
  t.equal(await server.listen({ path: socket }), 0)
  const session = connect('http://localhost', { createConnection: () => connectSocket(socket) })
  t.teardown(() => session.destroy())
  const stream = ask(session)
  const answer = answerOf(stream)
  stream.end(framed(hello))
  t.match(await answer, { code: grpcCodes.ok, body: framed(hello) })
})

t.test('draining tells clients to go away, lets calls end, and takes no more', async t => {
  const { server, port, session } = await start(t)
  const stream = ask(session)
  const answer = answerOf(stream)
  stream.write(framed(hello))
  await once(stream, 'data')
  const gone = once(session, 'goaway')
  let isDrained = false
  const drained = server.drain().then(() => (isDrained = true))
  t.match(await gone, [constants.NGHTTP2_NO_ERROR])
  const late = connectSocket(port, '127.0.0.1')
  t.match(await once(late, 'error'), [{ code: 'ECONNREFUSED' }])
  t.notOk(isDrained)
  stream.end()
  t.match(await answer, { code: grpcCodes.ok })
  await drained
})
