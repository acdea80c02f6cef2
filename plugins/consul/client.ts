import { EventEmitter } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { Agent, type ClientRequest } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import Consul from 'consul'
import { errorText, IsthmusError } from '../../src/model/errors.ts'
import { rawRead } from './raw-read.ts'
import type { ConsulAnswer, Reading } from './reading.ts'
import type { ConsulSettings } from './settings.ts'

export interface ConsulQuery {
  /** Blocks until the answer is newer than this index, at most `waitSeconds`. */
  readonly index: string | undefined
  readonly waitSeconds: number
  /** Asks the leader, at a cost; otherwise any server answers, which survives the loss of a leader. */
  readonly consistent?: boolean
  readonly signal: AbortSignal
}

/** The reads this source lives on. They throw when nothing answers; any HTTP answer is given back. */
export interface ConsulClient {
  catalogServices(query: ConsulQuery): Promise<ConsulAnswer>
  healthService(service: string, query: ConsulQuery): Promise<ConsulAnswer>
  /** What of the mesh stands in front of a service: its sidecars, and instances that speak it themselves. */
  healthConnect(service: string, query: ConsulQuery): Promise<ConsulAnswer>
  /** The certificate and key that the agent has issued for a service. */
  connectLeaf(service: string, query: ConsulQuery): Promise<ConsulAnswer>
  connectRoots(query: ConsulQuery): Promise<ConsulAnswer>
  /** What a service may speak to: the intentions with it, or any service, as their source. */
  intentionsOf(service: string, query: ConsulQuery): Promise<ConsulAnswer>
  /** Whether the token's file is another one than at the first read, or at the last call: what blocks then may do so with the former token. */
  tokenChanged(): boolean
  close(): void
}

/** One each for the leaf, the roots and the intentions. */
const caConnections = 3

type Call = (options: Record<string, unknown>) => Promise<unknown>

/**
 * A client on the `consul` package's ordinary methods, over kept connections.
 * @throws IsthmusError `settings-invalid` for an address that is none, or certificate files that cannot be read
 */
export function createConsulClient(settings: ConsulSettings, name: string): ConsulClient {
  const url = agentUrl(settings.address ?? 'http://127.0.0.1:8500', name)
  const sockets = {
    keepAlive: true,
    maxSockets: (settings.watches?.maxConnections ?? 128) + (settings.connect === undefined ? 0 : caConnections),
  }
  const agent = url.protocol === 'https:' ? new TlsAgent({ ...sockets, ...tlsFiles(settings, name) }) : new Agent(sockets)
  const headers = settings.consulNamespace === undefined ? {} : { 'x-consul-namespace': settings.consulNamespace }
  // The package passes these on to its HTTP layer; its types name only some of them.
  const options = { baseUrl: new URL(`${url.href.replace(/\/$/, '')}/v1`), agent, headers }
  const consul = new Consul(options)
  const hooks = consul as unknown as { _ext(event: 'onRequest', hook: (request: RawRequest, next: () => void) => void): void }
  hooks._ext('onRequest', (request, next) => {
    // The package hands on a URL's brackets, which would be looked up as a name.
    request.req.hostname = request.req.hostname.replace(/^\[(.*)\]$/, '$1')
    request.transport = wholeAnswers(request.transport)
    next()
  })
  const token = tokenReader(settings)

  const call = async (method: Call, query: ConsulQuery, own: Record<string, unknown>): Promise<ConsulAnswer> => {
    const ctx = Object.assign(new EventEmitter(), { includeResponse: true })
    const cancel = (): void => void ctx.emit('cancel')
    query.signal.throwIfAborted()
    query.signal.addEventListener('abort', cancel, { once: true })
    const blocking = query.index === undefined ? {} : { index: query.index, wait: `${String(query.waitSeconds)}s` }
    const waits = query.index === undefined ? 0 : query.waitSeconds
    try {
      const [response] = (await method({
        ...own,
        ...blocking,
        ...(settings.datacenter === undefined ? {} : { dc: settings.datacenter }),
        ...(settings.partition === undefined ? {} : { partition: settings.partition }),
        ...(query.consistent === true ? { consistent: true } : { stale: true }),
        ...token.read(),
        ctx,
        // The server adds up to a sixteenth of the wait as jitter (reference/discovery.md 2.2 rule 4).
        timeout: Math.ceil((waits * (1 + 1 / 16) + 15) * 1000),
      })) as [RawAnswer, unknown]
      return answerOf(response)
    } catch (error) {
      const response = (error as { response?: RawAnswer }).response
      // Without its end, an answer is none.
      if (response?.statusCode === undefined || !response.complete) throw error
      return answerOf(response)
    } finally {
      query.signal.removeEventListener('abort', cancel)
    }
  }
  const catalog: Call = options => consul.catalog.service.list(options as never)
  const health: Call = options => consul.health.service(options as never)
  const mesh = rawRead(consul, '/health/connect/{service}')
  const leaf = rawRead(consul, '/agent/connect/ca/leaf/{service}', 'agent')
  const intentions = rawRead(consul, '/connect/intentions/match', 'catalog', ['by', 'name'])
  const roots = rawRead(consul, '/agent/connect/ca/roots', 'agent')
  return {
    catalogServices: query => call(catalog, query, {}),
    healthService: (service, query) => call(health, query, { service }),
    healthConnect: (service, query) => call(mesh, query, { service }),
    // The agent's own, whatever datacenter is read: all have the same roots.
    connectLeaf: (service, query) => call(leaf, query, { service }),
    connectRoots: query => call(roots, query, {}),
    intentionsOf: (service, query) => call(intentions, query, { by: 'source', name: service }),
    tokenChanged: () => token.changed(),
    close: () => agent.destroy(),
  }
}

/** What a read that threw is: a token that cannot be read is not Consul's fault. */
export function failureOf(error: unknown): Extract<Reading, { kind: 'error' }> {
  const code = error instanceof TokenUnreadable ? 'consul-token' : 'consul-unreachable'
  return { kind: 'error', code, text: errorText(error) }
}

class TokenUnreadable extends Error {}

interface RawRequest {
  readonly req: { hostname: string }
  transport: Transport
}

interface Transport {
  request(options: object): ClientRequest
}

/** The package waits for the end of an answer and is not told when the connection ends before: its time-out, minutes later, would end it. */
function wholeAnswers(transport: Transport): Transport {
  return {
    request(options) {
      const request = transport.request(options)
      request.once('response', response => {
        response.once('close', () => {
          if (!response.complete) request.emit('error', new Error('the connection ended within the answer'))
        })
      })
      return request
    },
  }
}

interface RawAnswer {
  readonly complete: boolean
  readonly statusCode?: number
  readonly headers: ConsulAnswer['headers']
  readonly body?: unknown
}

function answerOf(response: RawAnswer): ConsulAnswer {
  return { status: response.statusCode ?? 0, headers: response.headers, body: response.body }
}

function agentUrl(address: string, name: string): URL {
  const text = /^[a-z]+:\/\//i.test(address) ? address : `http://${address}`
  if (!URL.canParse(text)) throw invalid(name, 'address', `"${address}" is no address of a Consul agent`)
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalid(name, 'address', `"${address}" is neither http nor https`)
  // URL hides a port that is the scheme's own; Consul's is meant only where none is written.
  if (url.port === '' && !/^[a-z]+:\/\/[^/]*:\d+(\/|$)/i.test(text)) url.port = url.protocol === 'https:' ? '8501' : '8500'
  return url
}

function tlsFiles({ tls }: ConsulSettings, name: string): object {
  const read = (key: 'caFile' | 'certFile' | 'keyFile'): Buffer | undefined => {
    const file = tls?.[key]
    try {
      return file === undefined ? undefined : readFileSync(file)
    } catch (error) {
      throw invalid(name, `tls.${key}`, errorText(error))
    }
  }
  return {
    ca: read('caFile'),
    cert: read('certFile'),
    key: read('keyFile'),
    ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
  }
}

interface TokenReader {
  /** The token as it stands in its file now: a rotated one is used from the next request on. Throws when the file cannot be read. */
  read(): { token?: string }
  changed(): boolean
}

function tokenReader({ token }: ConsulSettings): TokenReader {
  if (token?.file === undefined) return { read: () => (token?.value === undefined ? {} : { token: token.value }), changed: () => false }
  const { file } = token
  let known = { version: '', text: '' }
  // What queries may block with: a read in between takes a new token, the others still have the old one.
  let seen = ''
  const version = (): string => {
    const { mtimeMs, ino, size } = statSync(file)
    return `${String(mtimeMs)} ${String(ino)} ${String(size)}`
  }
  return {
    read() {
      try {
        const now = version()
        if (now !== known.version) known = { version: now, text: readFileSync(file, 'utf8').trim() }
      } catch (error) {
        throw new TokenUnreadable(`token.file: ${errorText(error)}`, { cause: error })
      }
      if (seen === '') seen = known.version
      return { token: known.text }
    },
    changed() {
      try {
        const now = version()
        const isNew = seen !== '' && now !== seen
        if (isNew) seen = now
        return isNew
      } catch {
        // Between the two steps of a rotation there may be no file; the next read says so if it stays away.
        return false
      }
    },
  }
}

function invalid(name: string, key: string, text: string): IsthmusError {
  return new IsthmusError('settings-invalid', `source ${name}: ${key}: ${text}`)
}
