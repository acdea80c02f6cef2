import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LoadOptions {
  readonly url: string
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

/** One request that was not answered with 200. */
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
  const { concurrency = 4, requestsPerSecond = 200, maxSeconds = 60 } = options
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency })
  const instances = new Map<string, number>()
  const failures: LoadFailure[] = []
  const counted = { requests: 0, failed: 0 }
  const stopping = new AbortController()
  const deadline = performance.now() + maxSeconds * 1000
  const path = new URL(options.url).pathname

  const worker = async () => {
    while (!stopping.signal.aborted && performance.now() < deadline) {
      const next = performance.now() + (concurrency * 1000) / requestsPerSecond
      const at = new Date().toISOString()
      const answer = await send(options, agent)
      counted.requests++
      if (answer.status === 200) {
        const instance = instanceOf(answer.text)
        if (instance !== undefined) instances.set(instance, (instances.get(instance) ?? 0) + 1)
      } else {
        counted.failed++
        if (failures.length < keptFailures) failures.push({ at, path, ...answer, text: answer.text.slice(0, 300) })
      }
      await sleep(Math.max(0, next - performance.now()), undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const workers = Promise.all(Array.from({ length: concurrency }, worker)).finally(() => agent.destroy())
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

function send(options: LoadOptions, agent: Agent): Promise<{ status?: number; text: string }> {
  return new Promise(resolve => {
    const failed = (error: Error) => resolve({ text: error.message })
    const timeout = AbortSignal.timeout(options.timeoutMs ?? 10_000)
    const sent = request(options.url, { agent, headers: options.headers ?? {}, signal: timeout }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', failed)
      response.on('end', () => resolve(response.statusCode === undefined ? { text } : { status: response.statusCode, text }))
    })
    sent.on('error', failed).end()
  })
}

function instanceOf(text: string): string | undefined {
  try {
    const { instance } = JSON.parse(text) as { instance?: unknown }
    return typeof instance === 'string' ? instance : undefined
  } catch {
    return undefined
  }
}
