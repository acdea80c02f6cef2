import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it arrived. */
export interface SeenRequest {
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

/** An answer in place of the regular one. What is left out is as usual: status 200, JSON, the current index. */
export interface OddAnswer {
  readonly status?: number
  /** Sent as it is. */
  readonly text?: string
  /** Sent as JSON; default: the registry's own content. */
  readonly json?: unknown
  /** `undefined` leaves one of the usual headers out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Ends the connection in the middle of the body. */
  readonly cut?: boolean
  /** Never answers. */
  readonly hang?: boolean
}

/** Decides on each request: an odd answer, or nothing for the regular one. Odd answers never block. */
export type Odd = (request: SeenRequest) => OddAnswer | undefined

/**
 * An HTTP server that answers the two reads of the plugin as Consul does, blocking queries included, and as wrongly as a test asks for.
 * What the catalog lists and what a service's health says are set apart from each other.
 */
export class FakeConsul {
  readonly requests: SeenRequest[] = []
  /** Headers of all regular answers, such as the doubts of reference/discovery.md 2.2. */
  headers: Record<string, string> = {}
  /** Connections that are open, and the most that ever were. */
  connections = 0
  mostConnections = 0
  #odd: Odd = () => undefined
  #index = 10
  #catalog = new Map<string, readonly string[]>()
  #catalogIndex = 10
  readonly #services = new Map<string, { entries: readonly unknown[]; index: number }>()
  readonly #server: Server
  #blocked = new Map<ServerResponse, SeenRequest>()
  #waiting: (() => void)[] = []

  private constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response))
    this.#server.on('connection', socket => {
      this.mostConnections = Math.max(this.mostConnections, ++this.connections)
      socket.once('close', () => {
        this.connections--
        this.#notify()
      })
    })
  }

  static async start(host = '127.0.0.1'): Promise<FakeConsul> {
    const fake = new FakeConsul()
    fake.#server.listen(0, host)
    await once(fake.#server, 'listening')
    return fake
  }

  get address(): string {
    const { address, family, port } = this.#server.address() as AddressInfo
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
  }

  /** Blocking queries that wait now. */
  get blocked(): readonly SeenRequest[] {
    return [...this.#blocked.values()]
  }

  /** Sets what a service's health answers, and lists it in the catalog unless it is to have no instance. */
  set(name: string, ...entries: readonly unknown[]): void {
    this.health(name, entries)
    if (entries.length > 0) this.list(name)
    else this.unlist(name)
  }

  health(name: string, entries: readonly unknown[]): void {
    this.#services.set(name, { entries, index: ++this.#index })
    this.#release()
  }

  list(...names: readonly string[]): void {
    for (const name of names) this.#catalog.set(name, [])
    this.#moveCatalog()
  }

  unlist(...names: readonly string[]): void {
    for (const name of names) this.#catalog.delete(name)
    this.#moveCatalog()
  }

  /** Answers oddly from now on, blocked queries at once too; without a rule everything is regular again. */
  answer(odd: Odd = () => undefined): void {
    this.#odd = odd
    this.#release()
  }

  /** Requests for a path, oldest first. */
  of(path: string): readonly SeenRequest[] {
    return this.requests.filter(request => request.path === path)
  }

  /** Resolves as soon as the condition holds; it is tried again after each request and each connection that ended. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #moveCatalog(): void {
    this.#catalogIndex = ++this.#index
    this.#release()
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://fake')
    const seen = { path: decodeURIComponent(url.pathname), query: url.searchParams, headers: request.headers }
    this.requests.push(seen)
    response.on('close', () => {
      this.#blocked.delete(response)
      this.#notify()
    })
    this.#blocked.set(response, seen)
    this.#release()
    this.#notify()
  }

  #release(): void {
    for (const [response, request] of this.#blocked) {
      const odd = this.#odd(request)
      if (odd?.hang === true) continue
      const { body, index } = this.#content(request)
      if (odd === undefined && BigInt(request.query.get('index') ?? 0) >= BigInt(index)) continue
      this.#blocked.delete(response)
      this.#send(response, odd ?? {}, body, index)
    }
  }

  #content({ path }: SeenRequest): { body: unknown; index: number } {
    if (path === catalogPath) return { body: Object.fromEntries(this.#catalog), index: this.#catalogIndex }
    const service = this.#services.get(path.replace(/^\/v1\/health\/service\//, ''))
    return { body: service?.entries ?? [], index: service?.index ?? 10 }
  }

  #send(response: ServerResponse, odd: OddAnswer, content: unknown, index: number): void {
    const usual: Record<string, string | undefined> = {
      'Content-Type': 'application/json',
      'X-Consul-Index': String(index),
      'X-Consul-KnownLeader': 'true',
      'X-Consul-LastContact': '0',
    }
    for (const [name, value] of Object.entries({ ...usual, ...this.headers, ...odd.headers })) {
      if (value !== undefined) response.setHeader(name, value)
    }
    response.statusCode = odd.status ?? 200
    const text = odd.text ?? JSON.stringify('json' in odd ? odd.json : content)
    if (odd.cut !== true) {
      response.end(text)
      return
    }
    response.setHeader('Content-Length', Buffer.byteLength(text) + 10)
    response.write(text, () => response.destroy())
  }

  #notify(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}

export const catalogPath = '/v1/catalog/services'

export function healthPath(service: string): string {
  return `/v1/health/service/${service}`
}
