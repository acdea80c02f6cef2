import { readFileSync } from 'node:fs'
import type { Problem } from '../admin/problem.ts'
import { errorText } from '../model/errors.ts'
import { CliError, type ExitCode, type Io } from './io.ts'

export const defaultAdmin = 'http://127.0.0.1:8877'

/** Options that every command of the running gateway has. */
export interface ClientOptions {
  readonly admin?: string
  readonly tokenFile?: string
}

export type Query = Readonly<Record<string, string | number | undefined>>

/** An answer with the index to wait from. */
export interface Answer<Body> {
  readonly body: Body
  readonly index: string
}

export interface ListBody<Item> {
  readonly items: readonly Item[]
  readonly nextCursor?: string
  /** Of objects alone: what could not be read, and what is wrong with the whole. */
  readonly problems?: readonly { readonly at: string; readonly text: string }[]
  readonly warnings?: readonly string[]
}

/** One server-sent event; its data is JSON. */
export interface StreamEvent {
  readonly event: string
  readonly data: unknown
}

/** A request that takes longer is given up: the gateway hangs. A blocking query adds its wait. */
const patienceMs = 30_000

/** The admin API of the gateway that `--admin` or ISTHMUS_ADMIN names. Every failure is a CliError that says what to do. */
export class AdminClient {
  readonly #base: URL
  readonly #headers: Record<string, string>

  constructor(options: ClientOptions, { env }: Pick<Io, 'env'>) {
    const given = options.admin ?? (env['ISTHMUS_ADMIN'] || defaultAdmin)
    this.#base = adminUrl(given)
    const file = options.tokenFile ?? (env['ISTHMUS_TOKEN_FILE'] || undefined)
    this.#headers = { accept: 'application/json', ...(file === undefined ? {} : { authorization: `Bearer ${readToken(file)}` }) }
  }

  async get<Body>(path: string, query: Query = {}, waitMs = 0, signal?: AbortSignal): Promise<Answer<Body>> {
    const url = this.#url(path)
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value))
    const timeout = AbortSignal.timeout(patienceMs + waitMs)
    return this.#send<Body>(url, { signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]) })
  }

  /** A text such as the metrics. */
  async text(path: string): Promise<string> {
    const url = this.#url(path)
    try {
      const response = await fetch(url, { headers: { ...this.#headers, accept: 'text/plain' }, signal: AbortSignal.timeout(patienceMs) })
      const text = await response.text()
      if (!response.ok) throw this.#refused(response.status, parse(text))
      return text
    } catch (error) {
      throw error instanceof CliError ? error : this.#unreachable(error)
    }
  }

  /** Has something done, or asks what takes many words. */
  async post<Body>(path: string, body?: object): Promise<Body> {
    const init = body === undefined ? { method: 'POST', signal: AbortSignal.timeout(patienceMs) } : this.#write('POST', body)
    return (await this.#send<Body>(this.#url(path), init)).body
  }

  /** Server-sent events after one, until the server or the signal ends them. */
  async *stream(path: string, query: Query, after: number | undefined, signal: AbortSignal): AsyncGenerator<StreamEvent> {
    const url = this.#url(path)
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value))
    const headers = { ...this.#headers, accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': String(after) }) }
    let rest = ''
    try {
      const response = await fetch(url, { headers, signal })
      if (!response.ok || response.body === null) throw this.#refused(response.status, parse(await response.text()))
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split('\n\n')
        rest = parts.pop() ?? ''
        for (const part of parts) {
          const lines = new Map(part.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]))
          const data = lines.get('data')
          if (data !== undefined) yield { event: lines.get('event') ?? 'message', data: parse(data) }
        }
      }
    } catch (error) {
      throw error instanceof CliError ? error : this.#unreachable(error)
    }
  }

  /** Puts a body in its place. */
  async put<Body>(path: string, body: object): Promise<Body> {
    return (await this.#send<Body>(this.#url(path), this.#write('PUT', body))).body
  }

  async delete<Body>(path: string, body: object): Promise<Body> {
    return (await this.#send<Body>(this.#url(path), this.#write('DELETE', body))).body
  }

  #write(method: string, body: object): RequestInit {
    const headers = { ...this.#headers, 'content-type': 'application/json' }
    return { method, headers, body: JSON.stringify(body), signal: AbortSignal.timeout(patienceMs) }
  }

  #url(path: string): URL {
    return new URL(`${this.#base.pathname.replace(/\/$/, '')}/api/v1${path}`, this.#base)
  }

  async #send<Body>(url: URL, init: RequestInit): Promise<Answer<Body>> {
    let response: Response
    let text: string
    try {
      response = await fetch(url, { headers: this.#headers, ...init })
      text = await response.text()
    } catch (error) {
      throw this.#unreachable(error)
    }
    const body = parse(text)
    if (!response.ok) throw this.#refused(response.status, body)
    if (body === undefined) throw this.#notOurs(`answers ${response.status}, but no JSON`)
    return { body: body as Body, index: response.headers.get('x-isthmus-index') ?? '0' }
  }

  /** All items of a list, page by page; the index and the other keys are those of the first page. */
  async list<Item>(path: string, query: Query = {}, waitMs = 0, signal?: AbortSignal): Promise<Answer<ListBody<Item>>> {
    const first = await this.get<ListBody<Item>>(path, query, waitMs, signal)
    const items = [...first.body.items]
    const { index: _index, wait: _wait, ...rest } = query
    let cursor = first.body.nextCursor
    while (cursor !== undefined) {
      const { body } = await this.get<ListBody<Item>>(path, { ...rest, cursor }, 0, signal)
      items.push(...body.items)
      cursor = body.nextCursor
    }
    const { nextCursor: _nextCursor, ...body } = first.body
    return { body: { ...body, items }, index: first.index }
  }

  #unreachable(error: unknown): CliError {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const { code } = cause as { code?: string }
    const why = error instanceof Error && error.name === 'TimeoutError' ? 'no answer in time' : (code ?? errorText(cause))
    return new CliError(
      3,
      `no gateway answers at ${this.#base.origin} (${why}): start one with "isthmus serve", or name its admin address with --admin URL or ISTHMUS_ADMIN`,
      { cause: error },
    )
  }

  #notOurs(text: string): CliError {
    return new CliError(3, `${this.#base.origin} ${text}: is it the admin address of a gateway? Name it with --admin URL or ISTHMUS_ADMIN`)
  }

  #refused(status: number, body: unknown): CliError {
    const problem = body as Partial<Problem> | undefined
    if (problem?.code === undefined || problem.detail === undefined) return this.#notOurs(`answers ${status}, but not as a gateway does`)
    const exitCode: ExitCode = problem.code === 'request-invalid' ? 2 : 1
    return new CliError(exitCode, problem.detail)
  }
}

function adminUrl(given: string): URL {
  const text = /^https?:\/\//.test(given) ? given : `http://${given}`
  if (!URL.canParse(text)) throw new CliError(2, `--admin: "${given}" is no URL; give one such as ${defaultAdmin}`)
  return new URL(text)
}

function readToken(file: string): string {
  try {
    const token = readFileSync(file, 'utf8').trim()
    // The value of a header: one word of visible characters.
    if (/^[\x21-\x7e]+$/.test(token)) return token
  } catch (cause) {
    throw new CliError(2, `--token-file: ${file} cannot be read: ${errorText(cause)}`, { cause })
  }
  throw new CliError(2, `--token-file: ${file} holds no token`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // The caller says what came instead.
    return undefined
  }
}
