import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'

/** A lease as the gateway granted it. */
export interface Grant {
  readonly epoch: number
  readonly ttlSeconds: number
  readonly renewAfterSeconds: number
}

/** What an agent says of its machine. */
export interface Registration {
  readonly services: readonly object[]
  readonly ttlSeconds: number
  readonly zone: string | undefined
  readonly region: string | undefined
}

/** The gateway answered with an error, or not at all (`status` 0). */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly status: number
  /** The code of its problem answer, or empty. */
  readonly code: string
  /** It asked to be left alone for so long. */
  readonly retryAfterMs: number

  constructor(message: string, status: number, code: string, retryAfterMs: number, cause?: unknown) {
    super(message, { cause })
    this.status = status
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

export type Health = 'healthy' | 'unhealthy'

/** The gateway's REST API for one agent. Every call throws `GatewayError` only. */
export class GatewayClient {
  readonly #url: string
  readonly #tokenFile: string | undefined
  readonly #timeoutMs: number
  #token: string | undefined

  constructor(gateway: string, agentId: string, tokenFile: string | undefined, timeoutMs: number) {
    this.#url = `${gateway}/v1/registrations/${encodeURIComponent(agentId)}`
    this.#tokenFile = tokenFile
    this.#timeoutMs = timeoutMs
  }

  async register(registration: Registration, signal: AbortSignal): Promise<Grant> {
    await this.#readToken()
    return grantOf(await this.#send('PUT', '', registration, signal))
  }

  async renew(epoch: number, sequence: number, health: Readonly<Record<string, Health>>, signal: AbortSignal): Promise<Grant> {
    return grantOf(await this.#send('POST', '/renew', { epoch, sequence, health }, signal))
  }

  async drain(epoch: number, reason: string, signal: AbortSignal): Promise<void> {
    await this.#send('POST', '/drain', { epoch, reason }, signal)
  }

  async deregister(epoch: number, signal: AbortSignal): Promise<void> {
    await this.#send('DELETE', `?epoch=${epoch}`, undefined, signal)
  }

  async #readToken(): Promise<void> {
    if (this.#tokenFile === undefined) return
    try {
      this.#token = (await readFile(this.#tokenFile, 'utf8')).trim()
    } catch (error) {
      throw new GatewayError(`--token-file cannot be read: ${textOf(error)}`, 0, '', 0, error)
    }
  }

  async #send(method: string, path: string, body: object | undefined, signal: AbortSignal): Promise<unknown> {
    let response: Response
    let text: string
    try {
      response = await fetch(this.#url + path, {
        method,
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]),
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      text = await response.text()
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? `: ${textOf(error.cause)}` : ''
      throw new GatewayError(`no answer from ${this.#url}: ${textOf(error)}${cause}`, 0, '', 0, error)
    }
    if (response.ok) return jsonOf(text)
    const problem = jsonOf(text) as { code?: unknown; detail?: unknown } | undefined
    const detail = typeof problem?.detail === 'string' ? problem.detail : text.slice(0, 200)
    const retryAfterMs = Number(response.headers.get('retry-after') ?? 0) * 1000
    throw new GatewayError(
      `${response.status} from ${this.#url}: ${detail}`,
      response.status,
      typeof problem?.code === 'string' ? problem.code : '',
      Number.isFinite(retryAfterMs) ? retryAfterMs : 0,
    )
  }
}

function grantOf(answer: unknown): Grant {
  const { epoch, ttlSeconds, renewAfterSeconds } = (answer ?? {}) as Partial<Record<keyof Grant, unknown>>
  if (typeof epoch !== 'number' || typeof ttlSeconds !== 'number' || !(ttlSeconds > 0)) {
    throw new GatewayError('the answer is no lease: does --gateway lead to the agents listener of an Isthmus?', 0, '', 0)
  }
  const third = ttlSeconds / 3
  return {
    epoch,
    ttlSeconds,
    renewAfterSeconds: typeof renewAfterSeconds === 'number' && renewAfterSeconds > 0 ? renewAfterSeconds : third,
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // Not from an Isthmus; callers say what they miss.
    return undefined
  }
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The local address from which the gateway is reached. Nothing is sent: connecting a UDP socket only asks for the route. */
export function localAddress(gateway: string): Promise<string> {
  const { hostname, port, protocol } = new URL(gateway)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' })
    socket.once('error', error => {
      socket.close()
      reject(error)
    })
    socket.connect(port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port), host, () => {
      const { address } = socket.address()
      socket.close()
      resolve(address)
    })
  })
}
