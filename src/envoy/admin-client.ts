import type { Clock } from '../discovery/contract.ts'

/** How long Envoy's main thread may take to answer. */
const answerMs = 3000

/** Envoy's admin page, on this machine. */
export class EnvoyAdminClient {
  readonly #url: string
  readonly #clock: Clock

  constructor(port: number, clock: Clock) {
    this.#url = `http://127.0.0.1:${port}`
    this.#clock = clock
  }

  /** The body of the answer. Throws when Envoy does not answer in time or not with 2xx. */
  async call(method: 'GET' | 'POST', path: string): Promise<string> {
    const answered = new AbortController()
    const late = new AbortController()
    void this.#clock.sleep(answerMs, answered.signal).then(() => late.abort(new Error(`no answer within ${answerMs} ms`)))
    try {
      const response = await fetch(this.#url + path, { method, signal: late.signal })
      const body = await response.text()
      if (!response.ok) throw new Error(`${response.status} ${body.trim()}`)
      return body
    } catch (cause) {
      throw new Error(`Envoy's admin page: ${method} ${path} failed`, { cause })
    } finally {
      answered.abort()
    }
  }
}
