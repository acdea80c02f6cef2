import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'

/** What a name server says of a name: addresses, that it fails, or nothing at all. A name it does not have does not exist. */
export type Records = { readonly addresses: readonly string[]; readonly ttl: number } | 'fails' | 'silent'

export interface NameServer {
  /** `IP:PORT`. */
  readonly at: string
  readonly records: Map<string, Records>
  /** Names asked for, in order. */
  readonly asked: string[]
  stop(): Promise<void>
}

const typeA = 1
const typeAaaa = 28
const noSuchName = 3
const serverFailure = 2

/** A name server on loopback that answers A and AAAA (RFC 1035, RFC 3596). */
export async function startNameServer(): Promise<NameServer> {
  const socket = createSocket('udp4')
  const records = new Map<string, Records>()
  const asked: string[] = []
  socket.on('message', (query, from) => {
    const { name, type, end } = readQuestion(query)
    asked.push(name)
    const known = records.get(name)
    if (known !== 'silent') socket.send(answer(query.subarray(0, end), known, type), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    at: `127.0.0.1:${String(socket.address().port)}`,
    records,
    asked,
    stop: () => new Promise(resolve => socket.close(() => resolve())),
  }
}

function readQuestion(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** The question with its answers: a header of 12 bytes, then records that point back at the name. */
function answer(question: Buffer, known: Exclude<Records, 'silent'> | undefined, type: number): Buffer {
  const head = Buffer.from(question)
  const found = known === undefined || known === 'fails' ? [] : known.addresses.filter(one => isIPv4(one) === (type === typeA))
  const wanted = type === typeA || type === typeAaaa ? found : []
  head.writeUInt16BE(0x8180 | (known === 'fails' ? serverFailure : known === undefined ? noSuchName : 0), 2)
  head.writeUInt16BE(wanted.length, 6)
  head.writeUInt16BE(0, 10)
  const ttl = typeof known === 'object' ? known.ttl : 0
  return Buffer.concat([head, ...wanted.map(address => record(bytesOf(address), type, ttl))])
}

function record(data: Buffer, type: number, ttl: number): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function bytesOf(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [left = '', right = ''] = address.split('::')
  const words = (text: string) => (text === '' ? [] : text.split(':').map(word => Number.parseInt(word, 16)))
  const [before, after] = [words(left), words(right)]
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
  return Buffer.from(all.flatMap(word => [word >> 8, word & 0xff]))
}
