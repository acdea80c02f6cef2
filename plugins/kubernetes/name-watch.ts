import { Resolver } from 'node:dns/promises'
import { BackOff } from '../../src/discovery/back-off.ts'
import type { Clock } from '../../src/discovery/contract.ts'
import { errorText } from '../../src/model/errors.ts'

export interface NameWatchGiven {
  /** `ADDRESS` or `ADDRESS:PORT` of DNS servers; empty: those of the machine. */
  readonly servers: readonly string[]
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly signal: AbortSignal
  /** What a name's addresses are, sorted, or why they are not known now: then the last ones stay. */
  readonly onAnswer: (host: string, answer: NameAnswer) => void
}

export type NameAnswer = { readonly addresses: readonly string[] } | { readonly problem: string }

/** An answer is asked for anew when its TTL ends, within these bounds (s). */
const ttlBounds = [5, 300] as const

/** Asks for the addresses of host names, and again when their answers grow old, for as long as somebody follows them. */
export class NameWatch {
  readonly #given: NameWatchGiven
  readonly #resolver = new Resolver({ timeout: 2000, tries: 2 })
  readonly #followed = new Map<string, AbortController>()
  readonly #unanswered = new Set<string>()

  constructor(given: NameWatchGiven) {
    this.#given = given
    if (given.servers.length > 0) this.#resolver.setServers(given.servers)
  }

  /** Every name that is followed was asked for once. */
  get isSettled(): boolean {
    return this.#unanswered.size === 0
  }

  /** These and no others. */
  follow(hosts: ReadonlySet<string>): void {
    for (const [host, stop] of this.#followed) {
      if (hosts.has(host)) continue
      stop.abort()
      this.#followed.delete(host)
      this.#unanswered.delete(host)
    }
    for (const host of hosts) {
      if (this.#followed.has(host)) continue
      const stop = new AbortController()
      this.#followed.set(host, stop)
      this.#unanswered.add(host)
      void this.#watch(host, AbortSignal.any([stop.signal, this.#given.signal]))
    }
  }

  async #watch(host: string, signal: AbortSignal): Promise<void> {
    const { clock, random, onAnswer } = this.#given
    const [least, most] = ttlBounds
    const backOff = new BackOff(1000, most * 1000)
    const isOver = (): boolean => signal.aborted
    while (!isOver()) {
      let delay: number
      try {
        const found = await this.#ask(host)
        if (isOver()) return
        this.#unanswered.delete(host)
        backOff.reset()
        onAnswer(host, { addresses: found.addresses })
        delay = Math.min(most, Math.max(least, found.ttl)) * 1000
      } catch (error) {
        if (isOver()) return
        this.#unanswered.delete(host)
        onAnswer(host, { problem: errorText(error) })
        delay = backOff.next(random())
      }
      await clock.sleep(delay, signal)
    }
  }

  /** Both families; one of them is enough, unless asking for the other failed: half an answer would take addresses away. */
  async #ask(host: string): Promise<{ readonly addresses: readonly string[]; readonly ttl: number }> {
    const records = await Promise.all([
      this.#resolver.resolve4(host, { ttl: true }).catch(noRecords),
      this.#resolver.resolve6(host, { ttl: true }).catch(noRecords),
    ])
    const all = records.flat()
    if (all.length === 0) throw new Error(`${host} has no address`)
    return { addresses: [...new Set(all.map(one => one.address))].sort(), ttl: Math.min(...all.map(one => one.ttl)) }
  }
}

/** The name exists, but not in this family. */
function noRecords(error: unknown): readonly { address: string; ttl: number }[] {
  if ((error as { code?: unknown }).code === 'ENODATA') return []
  throw error
}
