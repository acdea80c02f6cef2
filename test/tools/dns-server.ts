import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A DNS server on loopback that answers A and AAAA questions from a table. */
export interface DnsServer {
  /** `127.0.0.1:PORT`. */
  readonly address: string
  /** Host name → its addresses; a name that is not there does not exist. TTL 0. */
  readonly hosts: Map<string, readonly string[]>
  /** Answers SERVFAIL to everything. */
  failing: boolean
  stop(): Promise<void>
}

const kinds: Readonly<Record<number, 4 | 6>> = { 1: 4, 28: 6 }
const noError = 0
const serverFailure = 2
const noSuchName = 3

/** Starts one (RFC 1035). */
export async function startDnsServer(hosts: Readonly<Record<string, readonly string[]>> = {}): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const known = new Map(Object.entries(hosts))
  const server: DnsServer = {
    address: '',
    hosts: known,
    failing: false,
    stop: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
  socket.on('message', (query, from) => {
    const { name, kind, end } = questionOf(query)
    const found = known.get(name)
    const code = server.failing ? serverFailure : found === undefined ? noSuchName : noError
    const family = kinds[kind]
    const addresses = code === noError ? (found ?? []).filter(one => (one.includes(':') ? 6 : 4) === family) : []
    const head = Buffer.alloc(12)
    query.copy(head, 0, 0, 2)
    head.writeUInt16BE(0x8180 | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(addresses.length, 6)
    socket.send(Buffer.concat([head, query.subarray(12, end), ...addresses.map(one => record(kind, one))]), from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return Object.assign(server, { address: `127.0.0.1:${String(socket.address().port)}` })
}

function questionOf(query: Buffer): { readonly name: string; readonly kind: number; readonly end: number } {
  const labels: string[] = []
  let at = 12
  for (let size = query.readUInt8(at); size > 0; size = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + size))
    at += size + 1
  }
  // The end of the name, then type and class.
  return { name: labels.join('.').toLowerCase(), kind: query.readUInt16BE(at + 1), end: at + 5 }
}

/** Name (a pointer to the question's), type, class IN, TTL 0, address. */
function record(kind: number, address: string): Buffer {
  const data = address.includes(':') ? sixteen(address) : Buffer.from(address.split('.').map(Number))
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(kind, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function sixteen(address: string): Buffer {
  const [left = '', right] = address.split('::')
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const tail = right === undefined ? [] : words(right)
  const all = [...words(left), ...Array.from({ length: 8 - words(left).length - tail.length }, () => '0'), ...tail]
  return Buffer.from(all.map(word => word.padStart(4, '0')).join(''), 'hex')
}
