import { EventEmitter } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { Agent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import Consul from 'consul'
import { errorText, IsthmusError } from '../../src/model/errors.ts'
import type { ConsulSettings } from './settings.ts'

/** What Consul answered, judged by nobody yet. */
export interface ConsulAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: unknown
}

export interface ConsulQuery {
  /** Blocks until the answer is newer than this index, at most `waitSeconds`. */
  readonly index: string | undefined
  readonly waitSeconds: number
  /** Asks the leader, at a cost; otherwise any server answers, which survives the loss of a leader. */
  readonly consistent?: boolean
  readonly signal: AbortSignal
}

/** The two reads this source lives on. They throw when nothing answers; any HTTP answer is given back. */
export interface ConsulClient {
  catalogServices(query: ConsulQuery): Promise<ConsulAnswer>
  healthService(service: string, query: ConsulQuery): Promise<ConsulAnswer>
  close(): void
}

type Call = (options: Record<string, unknown>) => Promise<unknown>

/**
 * A client on the `consul` package's ordinary methods, over kept connections.
 * @throws IsthmusError `settings-invalid` for an address that is none, or certificate files that cannot be read
 */
export function createConsulClient(settings: ConsulSettings, name: string): ConsulClient {
  const url = agentUrl(settings.address ?? 'http://127.0.0.1:8500', name)
  const agent = url.protocol === 'https:' ? new TlsAgent({ keepAlive: true, ...tlsFiles(settings, name) }) : new Agent({ keepAlive: true })
  const headers = settings.consulNamespace === undefined ? {} : { 'x-consul-namespace': settings.consulNamespace }
  // The package passes these on to its HTTP layer; its types name only some of them.
  const options = { baseUrl: `${url.origin}/v1`, agent, headers }
  const consul = new Consul(options)
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
        ...token(),
        ctx,
        // The server adds up to a sixteenth of the wait as jitter (reference/discovery.md 2.2 rule 4).
        timeout: Math.ceil((waits * (1 + 1 / 16) + 15) * 1000),
      })) as [RawAnswer, unknown]
      return answerOf(response)
    } catch (error) {
      const response = (error as { response?: RawAnswer }).response
      if (response?.statusCode === undefined) throw error
      return answerOf(response)
    } finally {
      query.signal.removeEventListener('abort', cancel)
    }
  }
  const catalog: Call = options => consul.catalog.service.list(options as never)
  const health: Call = options => consul.health.service(options as never)
  return {
    catalogServices: query => call(catalog, query, {}),
    healthService: (service, query) => call(health, query, { service }),
    close: () => agent.destroy(),
  }
}

interface RawAnswer {
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
  if (url.port === '' && !/:\d+\/?$/.test(text)) url.port = '8500'
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

/** The token as it stands in its file now: a rotated one is used from the next request on. Throws when the file cannot be read. */
function tokenReader({ token }: ConsulSettings): () => { token?: string } {
  if (token?.file === undefined) return () => (token?.value === undefined ? {} : { token: token.value })
  const { file } = token
  let known = { mtimeMs: -1, text: '' }
  return () => {
    const { mtimeMs } = statSync(file)
    if (mtimeMs !== known.mtimeMs) known = { mtimeMs, text: readFileSync(file, 'utf8').trim() }
    return { token: known.text }
  }
}

function invalid(name: string, key: string, text: string): IsthmusError {
  return new IsthmusError('settings-invalid', `source ${name}: ${key}: ${text}`)
}
