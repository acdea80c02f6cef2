import type { Clock } from '../discovery/contract.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { TableReader } from '../table/reader.ts'
import { invalid } from './problem.ts'

const defaultWaitMs = 5 * 60_000
const maxWaitMs = 10 * 60_000

/** Reads `60s`, `5m`, `500ms`; more than ten minutes counts as ten (as Consul's API does). */
export function waitMs(text: string | undefined): number {
  if (text === undefined) return defaultWaitMs
  const match = /^(\d{1,9})(ms|s|m)$/.exec(text)
  if (match === null) throw invalid(`query parameter "wait" must be a time such as 500ms, 60s or 5m, not "${text}"`)
  return Math.min(Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'], maxWaitMs)
}

/**
 * The index of everything in the table and of each service, and requests that wait for it to grow. An index from before a restart is
 * larger than ours: such a request is answered at once (Consul's clients do the same: reset when the index goes back).
 */
export class Waits {
  readonly #table: TableReader
  readonly #clock: Clock
  /** Revision of the last change of each service since we look; before that, of the start. */
  readonly #services = new Map<ServiceKey, number>()
  readonly #start: number
  readonly #waiting = new Set<() => void>()
  readonly #unsubscribe: () => void
  #closed = false

  constructor(table: TableReader, clock: Clock) {
    this.#table = table
    this.#clock = clock
    this.#start = table.revision
    this.#unsubscribe = table.onChange(change => {
      for (const { after } of change.pools) this.#services.set(after.service, change.revision)
      for (const wake of this.#waiting) wake()
    })
  }

  /** The index of one service, or of the whole table. */
  index(service?: ServiceKey): number {
    return service === undefined ? this.#table.revision : (this.#services.get(service) ?? this.#start)
  }

  /** Resolves when the index is above `index`, after `ms`, when `signal` aborts, or when the server closes. */
  async until(index: number, ms: number, signal: AbortSignal, service?: ServiceKey): Promise<void> {
    if (this.#closed || index !== this.index(service) || ms === 0) return
    const ended = new AbortController()
    const check = () => {
      if (this.#closed || signal.aborted || this.index(service) !== index) ended.abort()
    }
    this.#waiting.add(check)
    signal.addEventListener('abort', check)
    try {
      check()
      await this.#clock.sleep(ms, ended.signal)
    } finally {
      this.#waiting.delete(check)
      signal.removeEventListener('abort', check)
    }
  }

  /** How many requests wait now. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Releases everybody. */
  close(): void {
    this.#closed = true
    this.#unsubscribe()
    for (const wake of this.#waiting) wake()
  }
}
