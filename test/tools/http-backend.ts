import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Teardown } from './local.ts'

export interface BackendOptions {
  /** Default 127.0.0.1. */
  readonly address?: string
  /** Default: a free one. */
  readonly port?: number
  /** Prefix of the instance names: `backend` gives backend-1, backend-2, … */
  readonly name?: string
  readonly delayMs?: number
}

/** What a backend answers, as JSON, to any request. */
export interface BackendAnswer {
  readonly instance: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[]>>
}

/** One small HTTP server; `delayMs` and `status` apply from the next request on. */
export interface Backend {
  readonly instance: string
  readonly address: string
  readonly port: number
  readonly url: string
  /** Requests answered so far. */
  readonly requests: number
  delayMs: number
  status: number
  /** Connections that are open now. */
  connections(): Promise<number>
  /** Closes the listener and every connection. */
  stop(): Promise<void>
}

/** So many backends: each has its place where the number is written out. */
type Backends<Count extends number, Found extends readonly Backend[] = readonly []> = number extends Count
  ? readonly Backend[]
  : Found['length'] extends Count
    ? Found
    : Backends<Count, readonly [...Found, Backend]>

/** Starts that many HTTP backends on free ports, stopped after the test. Throws if the address cannot be listened on. */
export async function startBackends<Count extends number>(
  t: Teardown,
  count: Count,
  options: BackendOptions = {},
): Promise<Backends<Count>> {
  const names = Array.from({ length: count }, (_, index) => `${options.name ?? 'backend'}-${index + 1}`)
  // As many as were asked for: no type says so of Array.from.
  return (await Promise.all(names.map(instance => startBackend(t, instance, options)))) as unknown as Backends<Count>
}

/** Starts one that calls itself by that very name. Throws if the address cannot be listened on. */
export async function startBackend(t: Teardown, instance: string, options: BackendOptions): Promise<Backend> {
  const state = { requests: 0 }
  const backend = { delayMs: options.delayMs ?? 0, status: 200 }
  const answer: RequestListener = (request, response) => {
    request.resume().once('end', () => {
      void (async () => {
        if (backend.delayMs > 0) await sleep(backend.delayMs)
        state.requests++
        const body = { instance, method: request.method, path: request.url, headers: request.headers }
        response.writeHead(backend.status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      })()
    })
  }
  const server = createServer({ keepAliveTimeout: 120_000 }, answer).listen(options.port ?? 0, options.address ?? '127.0.0.1')
  await once(server, 'listening')
  const { address, port } = server.address() as AddressInfo
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`
  const connections = promisify(server.getConnections.bind(server))
  const fixed = { instance, address, port, url, connections, stop: () => close(server) }
  t.teardown(fixed.stop)
  return Object.defineProperty(Object.assign(backend, fixed, { requests: 0 }), 'requests', { get: () => state.requests, enumerable: true })
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
