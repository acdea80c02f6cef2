import type { SourceContext } from '../../src/discovery/contract.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'
import type { ConsulClient } from './client.ts'
import { ServiceWatch } from './service-watch.ts'
import type { ConsulSettings } from './settings.ts'
import { Turns } from './turns.ts'

export interface ServiceWatchesGiven {
  readonly settings: ConsulSettings
  readonly context: SourceContext
  readonly client: ConsulClient
  readonly admitAddress: (address: string) => string
  readonly keyOf: (name: string) => ServiceKey
  /** Every service of the catalog was read at least once. */
  readonly onSynced: () => void
  /** A service answers empty: is it gone from the catalog? */
  readonly onEmptied: () => void
  readonly onNotices: () => void
}

interface Running {
  readonly watch: ServiceWatch
  /** Undefined while the service is polled. */
  following: { readonly stop: AbortController; readonly done: Promise<void> } | undefined
}

/** First reads at a time, and polls at a time. */
const concurrentReads = 32
const concurrentPolls = 4

/** All services of the catalog: as many as connections allow are followed, those that routes want first; the others are read in turn. */
export class ServiceWatches {
  readonly #given: ServiceWatchesGiven
  readonly #running = new Map<string, Running>()
  readonly #reads = new Turns(concurrentReads)
  #listed: ReadonlySet<string> = new Set()
  #synced = false
  #polling: Promise<void> | undefined

  constructor(given: ServiceWatchesGiven) {
    this.#given = given
  }

  /** Takes the catalog's list of names. What it lacks goes only if the list is authoritative and the service answered empty too. */
  names(names: readonly string[], authoritative: boolean): void {
    this.#listed = new Set(authoritative ? names : [...names, ...this.#running.keys()])
    for (const name of this.#listed) if (!this.#running.has(name)) this.#open(name)
    for (const [name, running] of this.#running) if (!this.#listed.has(name) && running.watch.emptied) this.#close(name, running)
    this.balance()
    this.#checkSynced()
  }

  /** Gives the connections to the services that routes want, then to the others by name. */
  balance(): void {
    const { wanted } = this.#given.context
    const slots = (this.#given.settings.watches?.maxConnections ?? 128) - 1 - concurrentPolls
    const all = [...this.#running].sort(([a], [b]) => (a < b ? -1 : 1))
    const isWanted = (name: string): boolean => wanted.has(this.#given.keyOf(name))
    const ordered = all.length <= slots ? all : [...all.filter(([name]) => isWanted(name)), ...all.filter(([name]) => !isWanted(name))]
    ordered.slice(Math.max(1, slots)).forEach(([, running]) => this.#unfollow(running))
    ordered.slice(0, Math.max(1, slots)).forEach(([, running]) => this.#follow(running))
    if (ordered.length > slots) this.#polling ??= this.#poll()
  }

  /** Sentences for the source's status. */
  notices(): readonly string[] {
    const notices: string[] = []
    const refusals = [...this.#running.values()].flatMap(({ watch }) => watch.refusals.map(text => `${watch.name} ${text}`))
    if (refusals.length > 0) notices.push(`${String(refusals.length)} instances are left out, the first: ${refusals[0] ?? ''}`)
    const polled = [...this.#running.values()].filter(({ following }) => following === undefined).length
    if (polled > 0) {
      notices.push(
        `${String(polled)} services are beyond watches.maxConnections and are read every ${String(this.#pollSeconds())} s: ` +
          "raise it, and the agent's limits.http_max_conns_per_client with it",
      )
    }
    return notices
  }

  /** Ends all watches; resolves when the last one has. */
  async stop(): Promise<void> {
    const ends = [...this.#running.values()].flatMap(running => running.following?.done ?? [])
    for (const running of this.#running.values()) this.#unfollow(running)
    await Promise.all(ends)
    await this.#polling
  }

  #open(name: string): void {
    const { settings, context, client, admitAddress, keyOf } = this.#given
    const watch = new ServiceWatch(name, keyOf(name), {
      settings,
      context,
      client,
      admitAddress,
      firstRead: work => this.#reads.run(work),
      onRead: read => this.#onRead(read),
    })
    this.#running.set(name, { watch, following: undefined })
  }

  #close(name: string, running: Running): void {
    this.#unfollow(running)
    this.#running.delete(name)
    running.watch.gone()
  }

  #onRead(watch: ServiceWatch): void {
    const { onEmptied, onNotices } = this.#given
    const running = this.#running.get(watch.name)
    if (watch.emptied && running !== undefined) {
      if (this.#listed.has(watch.name)) onEmptied()
      else this.#close(watch.name, running)
    }
    if (this.#synced) onNotices()
    this.#checkSynced()
  }

  #checkSynced(): void {
    if (this.#synced || ![...this.#running.values()].every(({ watch }) => watch.read)) return
    this.#synced = true
    this.#given.onSynced()
    this.#given.onNotices()
  }

  #follow(running: Running): void {
    if (running.following !== undefined) return
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, this.#given.context.signal])
    running.following = { stop, done: running.watch.follow(signal) }
  }

  #unfollow(running: Running): void {
    running.following?.stop.abort()
    running.following = undefined
  }

  #pollSeconds(): number {
    return this.#given.settings.watches?.pollSeconds ?? 15
  }

  /** Reads the services without a connection of their own, a few at a time, round and round. */
  async #poll(): Promise<void> {
    const { signal, clock } = this.#given.context
    const over = (): boolean => signal.aborted
    const turns = new Turns(concurrentPolls)
    for (;;) {
      const polled = [...this.#running.values()].filter(({ following }) => following === undefined)
      if (polled.length === 0 || over()) break
      const until = clock.now() + this.#pollSeconds() * 1000
      await Promise.all(polled.map(({ watch }) => turns.run(async () => (over() ? undefined : watch.once(signal, false)))))
      await clock.sleep(Math.max(0, until - clock.now()), signal)
    }
    this.#polling = undefined
  }
}
