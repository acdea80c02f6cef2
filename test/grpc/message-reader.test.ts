import fc from 'fast-check'
import t from 'tap'
import { MessageReader, UnreadableMessage } from '../../src/grpc/message-reader.ts'
import { grpcCodes } from '../../src/grpc/status.ts'
import { framed } from './framed.ts'

/** Everything a reader gives of a stream in pieces. */
function readAll(reader: MessageReader, pieces: readonly Buffer[]): { text: string; isCompressed: boolean }[] {
  const found = []
  for (const piece of pieces) {
    reader.take(piece)
    for (let message = reader.next(); message !== undefined; message = reader.next())
      found.push({ text: message.bytes.toString('hex'), isCompressed: message.isCompressed })
  }
  return found
}

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map(place => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

t.test('messages are the same wherever the stream is cut', async t => {
  const messages = fc.array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean()), { maxLength: 8 })
  fc.assert(
    fc.property(messages, fc.array(fc.nat(), { maxLength: 30 }), (given, places) => {
      const stream = Buffer.concat(given.map(([bytes, isCompressed]) => framed(Buffer.from(bytes), isCompressed ? 1 : 0)))
      const reader = new MessageReader(300)
      const found = readAll(reader, cutAt(stream, places))
      const wanted = given.map(([bytes, isCompressed]) => ({ text: Buffer.from(bytes).toString('hex'), isCompressed }))
      return JSON.stringify(found) === JSON.stringify(wanted) && !reader.isWithinMessage
    }),
  )
  t.pass()
})

t.test('a stream that ends within a message is known to', async t => {
  const stream = framed(Buffer.from('hello'))
  for (let length = 1; length < stream.length; length++) {
    const reader = new MessageReader(100)
    readAll(reader, [stream.subarray(0, length)])
    t.ok(reader.isWithinMessage, String(length))
  }
})

t.test('a prefix that can be none, or promises too much, is refused before anything of the message came', async t => {
  for (const [prefix, code] of [
    ['0200000000', grpcCodes.internal],
    ['ff00000000', grpcCodes.internal],
    ['0000000065', grpcCodes.resourceExhausted],
    ['00ffffffff', grpcCodes.resourceExhausted],
  ] as const) {
    const reader = new MessageReader(100)
    reader.take(Buffer.from(prefix, 'hex'))
    t.match(statusOf(reader), { code }, prefix)
  }
})

function statusOf(reader: MessageReader): unknown {
  try {
    return reader.next()
  } catch (error) {
    return error instanceof UnreadableMessage ? error.status : error
  }
}
