import { type ClientRequest, Agent as PlainAgent, type IncomingMessage, request as plainRequest } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import { once } from 'node:events'
import { Credentials, type KubeTarget, type Signed } from './credentials.ts'
import { asFailure, failureOfAnswer, KubeFailure } from './failure.ts'

export interface KubeRequest {
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Such as `/api/v1/nodes`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Default `application/json`; for PATCH say which one. */
  readonly contentType?: string
  readonly signal?: AbortSignal
  /** Until the answer's head is here; default 30 s. */
  readonly timeoutMs?: number
}

/** Calls of one API server, over kept connections, signed with credentials as they are at that moment. */
export interface KubeClient {
  /** One call with its whole answer, parsed. Throws KubeFailure unless the status is 2xx. */
  call<T = unknown>(request: KubeRequest): Promise<T>
  /** One call whose answer comes piece by piece: `idleMs` without a piece ends it. Throws KubeFailure, also within the iteration. */
  stream(request: KubeRequest, idleMs: number): Promise<AsyncIterable<Buffer>>
  /** What the credentials' files say now; see Credentials. */
  readonly credentials: Credentials
  /** Namespace of the context or of the pod's service account. */
  readonly namespace: string | undefined
  /** Ends all connections. */
  close(): void
}

const defaultTimeoutMs = 30_000
/** The kernel asks after this much silence whether the other end is still there, so that a dead peer is noticed without a byte of ours. */
const keepAliveMs = 15_000
const errorBodyLimit = 64 * 1024
const userAgent = 'isthmus'

/** A client for the API server that a kubeconfig, or the pod this runs in, names. Nothing is read or opened before the first call. */
export function createKubeClient(target: KubeTarget): KubeClient {
  return new HttpClient(new Credentials(target))
}

class HttpClient implements KubeClient {
  readonly credentials: Credentials
  #agent: { readonly key: string; readonly agent: PlainAgent } | undefined

  constructor(credentials: Credentials) {
    this.credentials = credentials
  }

  get namespace(): string | undefined {
    return this.credentials.access().namespace
  }

  async call<T>(request: KubeRequest): Promise<T> {
    const idleMs = request.timeoutMs ?? defaultTimeoutMs
    const { response, what } = await this.#open(request)
    const text = await wholeText(what, response, idleMs, Infinity)
    if (response.headers['content-type']?.includes('json') !== true) return text as T
    try {
      return JSON.parse(text) as T
    } catch (error) {
      throw new KubeFailure('server', `${what}: the answer is no JSON`, { cause: error })
    }
  }

  async stream(request: KubeRequest, idleMs: number): Promise<AsyncIterable<Buffer>> {
    const { response, what } = await this.#open(request)
    return pieces(what, response, idleMs)
  }

  close(): void {
    this.#agent?.agent.destroy()
  }

  /** Sends it; a refusal of the credentials is believed only when it comes again with fresh ones. */
  async #open(request: KubeRequest): Promise<{ response: IncomingMessage; what: string }> {
    for (let attempt = 0; ; attempt++) {
      const signed = await this.credentials.sign()
      const what = `${request.method ?? 'GET'} ${signed.access.server.host}${request.path}`
      const response = await this.#send(request, signed, what)
      const status = response.statusCode ?? 0
      if (status >= 200 && status <= 299) return { response, what }
      const text = await wholeText(what, response, request.timeoutMs ?? defaultTimeoutMs, errorBodyLimit)
      if (status !== 401 || attempt > 0) throw failureOfAnswer(what, status, text, response.headers['retry-after'])
      this.credentials.forget()
    }
  }

  async #send(request: KubeRequest, signed: Signed, what: string): Promise<IncomingMessage> {
    const { method = 'GET', path, query = {}, body, contentType = 'application/json', signal, timeoutMs = defaultTimeoutMs } = request
    signal?.throwIfAborted()
    const parameters = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, value)
    const base = signed.access.server
    const url = new URL(base.pathname.replace(/\/$/, '') + path, base)
    url.search = parameters.toString()
    const headers = {
      ...signed.headers,
      accept: 'application/json',
      'user-agent': userAgent,
      ...(body === undefined ? {} : { 'content-type': contentType }),
    }
    const agent = this.#agentFor(signed)
    let call: ClientRequest | undefined
    const timer = setTimeout(() => call?.destroy(new Error(`no answer within ${String(timeoutMs / 1000)} s`)), timeoutMs)
    try {
      const options = { method, headers, agent, ...(signal === undefined ? {} : { signal }) }
      call = url.protocol === 'https:' ? tlsRequest(url, options) : plainRequest(url, options)
      // Once the answer has begun, its own stream tells of errors.
      call.on('error', () => undefined)
      call.once('socket', socket => socket.setKeepAlive(true, keepAliveMs).setNoDelay(true))
      call.end(body === undefined ? undefined : JSON.stringify(body))
      const [response] = (await once(call, 'response')) as [IncomingMessage]
      return response
    } catch (error) {
      signal?.throwIfAborted()
      throw asFailure(what, error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** New connections are made when whom we trust or who we are by certificate changed; calls that run go on. */
  #agentFor({ access, tls }: Signed): PlainAgent {
    const key = JSON.stringify([access.server.protocol, access.anyCertificate, access.serverName, access.proxyUrl, tls])
    if (this.#agent?.key === key) return this.#agent.agent
    for (const sockets of Object.values(this.#agent?.agent.freeSockets ?? {})) for (const socket of sockets ?? []) socket.destroy()
    const { proxyUrl, serverName } = access
    const common = { keepAlive: true, ...(proxyUrl === undefined ? {} : { proxyEnv: { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl } }) }
    const agent =
      access.server.protocol === 'https:'
        ? new TlsAgent({
            ...common,
            ...tls,
            rejectUnauthorized: !access.anyCertificate,
            ...(serverName === undefined ? {} : { servername: serverName }),
          })
        : new PlainAgent(common)
    this.#agent = { key, agent }
    return agent
  }
}

async function* pieces(what: string, response: IncomingMessage, idleMs: number): AsyncGenerator<Buffer, void, void> {
  const end = (): void => void response.destroy(new KubeFailure('stalled', `${what}: silent for ${String(idleMs / 1000)} s`))
  const timer = setTimeout(end, idleMs)
  try {
    for await (const piece of response) {
      timer.refresh()
      yield piece as Buffer
    }
    if (!response.complete) throw new Error('the connection ended within the answer')
  } catch (error) {
    throw asFailure(what, error)
  } finally {
    clearTimeout(timer)
    response.destroy()
  }
}

async function wholeText(what: string, response: IncomingMessage, idleMs: number, limit: number): Promise<string> {
  const parts: Buffer[] = []
  let size = 0
  for await (const piece of pieces(what, response, idleMs)) {
    if (size >= limit) break
    parts.push(piece)
    size += piece.length
  }
  return Buffer.concat(parts).toString('utf8')
}
