/**
 * The other side of the examples: `npx node deploy/examples/peers.ts FOLDER` reads the settings of the gateway in FOLDER (isthmus.yaml), starts a few small
 * services on free ports of loopback, and registers them as an agent would, until it is stopped or the gateway has gone.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js'
import { parse } from 'yaml'

const renewEveryMs = 2000
const ttlSeconds = 10
const failuresMost = 5

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void

/** Starts an HTTP server and gives its port. */
async function http(handler: Handler): Promise<number> {
  const server = createServer((request, response) => void handler(request, response))
  // The one WebSocket server that needs no library: it says hello in a frame and closes.
  server.on('upgrade', (request: IncomingMessage, socket) => {
    const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key'] ?? ''}${guid}`)
      .digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`)
    socket.end(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello'), Buffer.from([0x88, 0])]))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Says who it is after `?delay=` ms; `GET /count` says how many requests it has had. */
function echo(instance: string): Handler {
  let count = 0
  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://any')
    if (url.pathname === '/count') {
      response.end(`${String(count)}\n`)
      return
    }
    count++
    await sleep(Number(url.searchParams.get('delay') ?? 0))
    response.setHeader('content-type', 'application/json')
    response.end(`${JSON.stringify({ instance, path: url.pathname, user: request.headers['x-user'] })}\n`)
  }
}

/** Lets in whoever knows the word, and tells the service behind who that is. */
const auth: Handler = (request, response) => {
  const known = request.headers['authorization'] === 'Bearer open-sesame'
  response.writeHead(known ? 200 : 401, known ? { 'x-user': 'ali-baba' } : { 'content-type': 'text/plain' })
  response.end(known ? '' : 'who are you?\n')
}

/** A Zipkin collector that remembers what was reported; `GET /` lists it. */
function collector(): Handler {
  const seen = new Set<string>()
  return async (request, response) => {
    if (request.method === 'GET') {
      response.end(
        [...seen]
          .sort()
          .map(one => `${one}\n`)
          .join(''),
      )
      return
    }
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const spans = JSON.parse(Buffer.concat(parts).toString()) as { kind?: string; tags?: Record<string, string> }[]
    for (const { kind = '', tags = {} } of spans)
      seen.add(`${kind} ${new URL(tags['http.url'] ?? 'http://any').pathname} ${tags['http.status_code'] ?? ''}`)
    response.writeHead(202).end()
  }
}

const bytes = (buffer: Buffer): Buffer => buffer
const unary = {
  requestStream: false,
  responseStream: false,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
}

/** Starts a gRPC server with one method, bytes in, bytes out, and gives its port. */
async function grpc(path: string, handle: (request: Buffer) => Buffer): Promise<number> {
  const server = new Server()
  server.addService(
    { call: { ...unary, path } },
    { call: (call: ServerUnaryCall<Buffer, Buffer>, answer: (error: null, body: Buffer) => void) => answer(null, handle(call.request)) },
  )
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error)))
  })
}

/** Envoy's rate limit protocol, as small as it gets: of requests with the same descriptors three pass, then none. */
function limits(): (request: Buffer) => Buffer {
  const counts = new Map<string, number>()
  return request => {
    const key = request.toString('latin1')
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    const [ok, overLimit] = [1, 2]
    return Buffer.from([0x08, count <= 3 ? ok : overLimit])
  }
}

const [folder = '.'] = process.argv.slice(2)
const settings = parse(await readFile(join(folder, 'isthmus.yaml'), 'utf8')) as { agents: { listen: string } }
const ports = {
  stable: await http(echo('stable')),
  canary: await http(echo('canary')),
  auth: await http(auth),
  collector: await http(collector()),
  greeter: await grpc('/hello.Greeter/Greet', () => Buffer.from('hello\n')),
  limits: await grpc('/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit', limits()),
}
const services = Object.entries(ports).map(([name, port]) => ({
  name,
  namespace: 'default',
  address: '127.0.0.1',
  ports: [{ name: 'http', port }],
}))

async function register(): Promise<boolean> {
  const body = JSON.stringify({ services, ttlSeconds })
  const headers = { 'content-type': 'application/json' }
  try {
    return (await fetch(`http://${settings.agents.listen}/v1/registrations/peers`, { method: 'PUT', headers, body })).ok
  } catch {
    // It does not listen; the loop below gives it some time.
    return false
  }
}

for (let failures = 0; failures < failuresMost; ) {
  failures = (await register()) ? 0 : failures + 1
  await sleep(renewEveryMs)
}
process.exit(0)
