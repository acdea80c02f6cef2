import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LoadOptions {
  /** `https:` shows the host name of the `host` header by SNI, and trusts any certificate. */
  readonly url: string
  /** The path of each request in place of that of the url. */
  readonly path?: () => string
  /** What counts as a failure; default: every status but 200. No answer is always one. */
  readonly fails?: (path: string, status: number) => boolean
  /** Added to every request; `host` chooses the virtual host. */
  readonly headers?: Readonly<Record<string, string>>
  /** Requests in flight; default 4. */
  readonly concurrency?: number
  /** Upper bound over all of them; default 200. */
  readonly requestsPerSecond?: number
  /** Ends by itself after this long; default 60. */
  readonly maxSeconds?: number
  /** A request without an answer by then is a failure; default 10,000. */
  readonly timeoutMs?: number
}

/** One request that failed. */
export interface LoadFailure {
  readonly at: string
  readonly path: string
  /** Undefined when there was no answer at all. */
  readonly status?: number
  /** The error, or the beginning of the body. */
  readonly text: string
}

export interface LoadReport {
  readonly requests: number
  readonly failed: number
  /** The first 1,000 of them. */
  readonly failures: readonly LoadFailure[]
  /** Answers per `instance` of the body, for backends of http-backend.ts. */
  readonly instances: ReadonlyMap<string, number>
}

export interface Load {
  /** What happened so far. */
  report(): LoadReport
  /** Lets the requests in flight finish and gives the whole report. */
  stop(): Promise<LoadReport>
}

const keptFailures = 1000

/** Sends GET requests at a steady, bounded rate over kept connections until stopped, and records every one that fails. Never throws. */
export function startLoad(options: LoadOptions): Load {
  const { concurrency = 4, requestsPerSecond = 200, maxSeconds = 60, fails = (_path, status) => status !== 200 } = options
  const send = sender(options)
  const instances = new Map<string, number>()
  const failures: LoadFailure[] = []
  const counted = { requests: 0, failed: 0 }
  const stopping = new AbortController()
  const deadline = performance.now() + maxSeconds * 1000
  const path = options.path ?? (() => new URL(options.url).pathname)

  const worker = async () => {
    while (!stopping.signal.aborted && performance.now() < deadline) {
      const next = performance.now() + (concurrency * 1000) / requestsPerSecond
      const at = new Date().toISOString()
      const asked = path()
      const answer = await send.get(asked)
      counted.requests++
      if (answer.status !== undefined && !fails(asked, answer.status)) {
        const instance = instanceOf(answer.text)
        if (instance !== undefined) instances.set(instance, (instances.get(instance) ?? 0) + 1)
      } else {
        counted.failed++
        if (failures.length < keptFailures) failures.push({ at, path: asked, ...answer, text: answer.text.slice(0, 300) })
      }
      await sleep(Math.max(0, next - performance.now()), undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const workers = Promise.all(Array.from({ length: concurrency }, worker)).finally(() => send.close())
  const report = (): LoadReport => ({ ...counted, failures: [...failures], instances: new Map(instances) })
  return {
    report,
    stop: async () => {
      stopping.abort()
      await workers
      return report()
    },
  }
}

interface Sender {
  get(path: string): Promise<{ readonly status?: number; readonly text: string }>
  close(): void
}

function sender({ url, headers = {}, concurrency = 4, timeoutMs = 10_000 }: LoadOptions): Sender {
  const secure = new URL(url).protocol === 'https:'
  const pool = { keepAlive: true, maxSockets: concurrency }
  const agent = secure ? new HttpsAgent({ ...pool, rejectUnauthorized: false, servername: headers['host'] ?? '' }) : new HttpAgent(pool)
  const request = secure ? httpsRequest : httpRequest
  return {
    get: path =>
      new Promise(resolve => {
        const failed = (error: Error) => resolve({ text: error.message })
        const sent = request(new URL(path, url), { agent, headers, signal: AbortSignal.timeout(timeoutMs) }, response => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('error', failed)
          response.on('end', () => resolve(response.statusCode === undefined ? { text } : { status: response.statusCode, text }))
        })
        sent.on('error', failed).end()
      }),
    close: () => agent.destroy(),
  }
}

function instanceOf(text: string): string | undefined {
  try {
    const { instance } = JSON.parse(text) as { instance?: unknown }
    return typeof instance === 'string' ? instance : undefined
  } catch {
    return undefined
  }
}
