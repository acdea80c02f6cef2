import type { SourceContext } from '../../src/discovery/contract.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'
import type { ConsulClient } from './client.ts'
import { shareConnections } from './connections.ts'
import { type KnownService, makeKnownService } from './known-service.ts'
import { RateFloor } from './rate-floor.ts'
import { ServiceWatch } from './service-watch.ts'
import type { ConsulSettings } from './settings.ts'
import type { TranslateGiven } from './translate.ts'
import { Turns } from './turns.ts'

export interface ServiceWatchesGiven {
  readonly settings: ConsulSettings
  readonly context: SourceContext
  readonly client: ConsulClient
  readonly admitAddress: (address: string) => string
  readonly meshOf: TranslateGiven['meshOf']
  readonly deniedBy: TranslateGiven['deniedBy']
  readonly keyOf: (name: string) => ServiceKey
  /** What former runs of the source knew; kept up to date here. */
  readonly known: Map<string, KnownService>
  /** Every service that the catalog lists was read, or fails steadily. */
  readonly onSynced: () => void
  /** A service that holds endpoints answers empty: is it gone from the catalog? */
  readonly onEmptied: () => void
  /** `notices` may say something else now. */
  readonly onNotices: () => void
  readonly onDefect: (error: unknown) => void
}

/** Reads at a time that do not block. */
const concurrentReads = 32
/** Reads of all services together; a burst is what a node with many services that goes down may cause. */
const sourceBurst = 1000
const sourceReadsPerSecond = 500
const leastPollPauseMs = 50

/**
 * All services of the catalog: as many as connections allow are followed, those that routes want first; the others are read in turn
 * (reference/discovery.md 2.8). What a single read or change costs does not depend on how many services there are.
 */
export class ServiceWatches {
  readonly #given: ServiceWatchesGiven
  readonly #running = new Map<string, ServiceWatch>()
  /** Those without a connection of their own. */
  readonly #polled = new Set<ServiceWatch>()
  /** Those that the first sync waits for. */
  readonly #unsettled = new Set<ServiceWatch>()
  readonly #refused = new Set<ServiceWatch>()
  readonly #hidden = new Set<ServiceWatch>()
  readonly #reads = new Turns(concurrentReads)
  readonly #floor = new RateFloor(sourceBurst, sourceReadsPerSecond)
  #listed: ReadonlySet<string> = new Set()
  #complete = false
  #anyRead = false
  #synced = false
  #stopped = false
  #polling: Promise<void> | undefined
  #pollPause = new AbortController()

  constructor(given: ServiceWatchesGiven) {
    this.#given = given
  }

  /** Takes the catalog's list of names. What it lacks goes only if the list is authoritative and the service answers empty too. */
  names(names: readonly string[], authoritative: boolean): void {
    const former = this.#listed
    const complete = this.#complete
    // What a former run knew and nobody lists any more is read too, to hear that it is gone.
    const running = complete ? this.#running.keys() : [...this.#running.keys(), ...this.#given.known.keys()]
    this.#listed = authoritative ? new Set(names) : new Set([...names, ...running])
    this.#complete ||= authoritative
    if (complete && former.size === this.#listed.size && names.every(name => former.has(name))) return
    const before = this.#running.size
    for (const name of complete ? this.#listed : [...this.#listed, ...this.#given.known.keys()]) {
      if (!this.#running.has(name)) this.#open(name)
    }
    for (const watch of this.#running.values()) {
      if (this.#listed.has(watch.name)) continue
      if (watch.emptied && watch.read) this.#close(watch)
      // Its own answer is due; a service that is polled, backs off or blocks would give it late.
      else if (former.has(watch.name)) this.#nudge(watch)
    }
    if (before !== this.#running.size || this.#polled.size > 0) this.balance()
    this.#checkSynced()
    this.#given.onNotices()
  }

  /** Gives the connections to the services that routes want, then to the others by name. */
  balance(): void {
    if (this.#stopped) return
    const { watches, connect = false } = this.#given.settings
    // With the mesh, each service takes two.
    const max = Math.ceil((watches?.maxConnections ?? 128) / (connect === false ? 1 : 2))
    const { followed, polls } = shareConnections(max, this.#running.size)
    if (this.#running.size <= followed) {
      for (const watch of this.#polled) watch.follow()
      this.#polled.clear()
      return
    }
    const { keyOf, context, onNotices } = this.#given
    const byName = [...this.#running.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    const [wanted, others]: [ServiceWatch[], ServiceWatch[]] = [[], []]
    for (const watch of byName) (context.wanted.has(keyOf(watch.name)) ? wanted : others).push(watch)
    const ordered = [...wanted, ...others]
    for (const watch of ordered.slice(followed)) {
      if (watch.following) void watch.stop()
      this.#polled.add(watch)
    }
    for (const watch of ordered.slice(0, followed)) {
      this.#polled.delete(watch)
      watch.follow()
    }
    this.#polling ??= this.#poll(polls).catch(this.#given.onDefect)
    onNotices()
  }

  /** Consul answers again: services that failed meanwhile are read at once, in turn. */
  recovered(): void {
    for (const watch of this.#running.values()) watch.retry()
    this.#pollPause.abort()
  }

  /** Everything may be another thing now (a new token): all services are read anew, in turn. */
  refresh(): void {
    for (const watch of this.#running.values()) watch.nudge()
    this.#pollPause.abort()
  }

  /** Sentences for the source's status. */
  notices(): readonly string[] {
    const notices: string[] = []
    const [hidden] = this.#hidden
    if (hidden !== undefined) {
      const who = `instances of ${String(this.#hidden.size)} services, the first ${hidden.name}`
      notices.push(`the ACL token does not see all ${who}: grant node:read and service:read`)
    }
    const [refused] = this.#refused
    if (refused !== undefined) {
      let count = 0
      for (const { refusals } of this.#refused) count += refusals.length
      notices.push(`${String(count)} instances are left out, the first: ${refused.name} ${refused.refusals[0] ?? ''}`)
    }
    if (this.#polled.size > 0) {
      notices.push(
        `${String(this.#polled.size)} services are beyond watches.maxConnections and are read every ${String(this.#pollSeconds())} s: ` +
          "raise it, and the agent's limits.http_max_conns_per_client with it",
      )
    }
    return notices
  }

  /** Ends all watches at once; resolves when the last one has. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#pollPause.abort()
    await Promise.all([...this.#running.values()].map(watch => watch.stop()))
    await this.#polling
  }

  #open(name: string): void {
    const { settings, context, client, admitAddress, meshOf, deniedBy, keyOf, known, onDefect } = this.#given
    const service = known.get(name) ?? makeKnownService()
    known.set(name, service)
    const watch = new ServiceWatch(name, keyOf(name), service, {
      settings,
      context,
      client,
      admitAddress,
      meshOf,
      deniedBy,
      sourceFloor: this.#floor,
      inTurn: work => this.#reads.run(work),
      onStatus: changed => this.#onStatus(changed),
      onDefect,
    })
    this.#running.set(name, watch)
    this.#polled.add(watch)
    this.#unsettled.add(watch)
    // A poll round that rests would let it wait.
    this.#pollPause.abort()
  }

  #close(watch: ServiceWatch): void {
    void watch.stop()
    this.#running.delete(watch.name)
    this.#given.known.delete(watch.name)
    for (const set of [this.#polled, this.#unsettled, this.#refused, this.#hidden]) set.delete(watch)
    watch.gone()
    // A connection is free.
    if (this.#polled.size > 0) this.balance()
  }

  #nudge(watch: ServiceWatch): void {
    watch.nudge()
    if (!watch.following) this.#pollPause.abort()
  }

  #onStatus(watch: ServiceWatch): void {
    if (this.#running.get(watch.name) !== watch) return
    mark(this.#unsettled, watch, !watch.settled)
    mark(this.#refused, watch, watch.refusals.length > 0)
    mark(this.#hidden, watch, watch.hidden)
    this.#anyRead ||= watch.read
    if (watch.read && watch.emptied && !this.#listed.has(watch.name)) this.#close(watch)
    else if (watch.holds) this.#given.onEmptied()
    this.#checkSynced()
    if (this.#synced) this.#given.onNotices()
  }

  #checkSynced(): void {
    if (this.#synced || !this.#complete || this.#unsettled.size > 0) return
    // Where every single read fails, nothing is known: that is no sync.
    if (this.#running.size > 0 && !this.#anyRead) return
    this.#synced = true
    this.#given.onSynced()
    this.#given.onNotices()
  }

  #pollSeconds(): number {
    return this.#given.settings.watches?.pollSeconds ?? 15
  }

  /** Reads the services without a connection of their own when they are due, a few at a time. */
  async #poll(atOnce: number): Promise<void> {
    const { clock } = this.#given.context
    const turns = new Turns(atOnce)
    while (this.#polled.size > 0 && !this.#stopped) {
      this.#pollPause = new AbortController()
      const polled = [...this.#polled]
      await Promise.all(polled.map(watch => turns.run(async () => (this.#polled.has(watch) && !this.#stopped ? watch.poll() : undefined))))
      let next = Infinity
      for (const { pollAt } of this.#polled) next = Math.min(next, pollAt)
      // A read that was broken off is due at once; the least pause keeps that from spinning.
      if (this.#polled.size > 0) await clock.sleep(Math.max(leastPollPauseMs, next - clock.now()), this.#pollPause.signal)
    }
    this.#polling = undefined
  }
}

function mark(set: Set<ServiceWatch>, watch: ServiceWatch, is: boolean): void {
  if (is) set.add(watch)
  else set.delete(watch)
}
