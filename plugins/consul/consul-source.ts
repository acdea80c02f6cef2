import { BackOff } from '../../src/discovery/back-off.ts'
import type { DiscoverySource, SourceContext, SourceGiven } from '../../src/discovery/contract.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { type ConsulClient, createConsulClient, failureOf } from './client.ts'
import type { ConnectCa } from './connect-ca.ts'
import { isCatalog } from './entry.ts'
import { followCa } from './follow-ca.ts'
import { type KnownSource, makeKnownSource } from './known-service.ts'
import { RateFloor } from './rate-floor.ts'
import { judge, type Reading } from './reading.ts'
import { ServiceWatches } from './service-watches.ts'
import type { ConsulSettings } from './settings.ts'
import { withSidecars } from './with-sidecars.ts'

/** Reads one datacenter of one Consul: its catalog for the names, and each service by its health endpoint. */
export function consulSource(settings: ConsulSettings, given: SourceGiven, ca: ConnectCa): DiscoverySource {
  // Made once here too, so that bad settings are found when the source is made, not when it runs.
  createConsulClient(settings, given.name).close()
  const known = makeKnownSource()
  return { run: context => new ConsulRun(settings, given, known, context, ca).run() }
}

/** How often the token's file is looked at while queries block. */
const tokenCheckMs = 1000
/** Back-off of the catalog: one request probes for all services, so a Consul that is merely away is asked more often than one that answers errors. */
const probeCapMs = 5000
/** Catalog reads a second, whatever asks for them. */
const catalogReadsPerSecond = 20

class ConsulRun {
  readonly #settings: ConsulSettings
  readonly #context: SourceContext
  readonly #known: KnownSource
  readonly #ca: ConnectCa
  readonly #client: ConsulClient
  readonly #watches: ServiceWatches
  readonly #defect = Promise.withResolvers<never>()
  /** Aborts the catalog's read or pause, to ask anew at once. */
  #asking = new AbortController()
  #failing = false
  #notice = ''

  constructor(settings: ConsulSettings, given: SourceGiven, known: KnownSource, context: SourceContext, ca: ConnectCa) {
    this.#ca = ca
    this.#settings = settings
    this.#context = context
    this.#known = known
    this.#client = createConsulClient(settings, given.name)
    this.#watches = new ServiceWatches({
      settings,
      context,
      client: ca.service === undefined ? this.#client : withSidecars(this.#client),
      meshOf: (datacenter, service) => ca.peerOf(datacenter, service),
      deniedBy: service => ca.deniedBy(service),
      known: known.services,
      admitAddress: address => given.admitAddress(address),
      keyOf: name => serviceKey(given.namespace, name),
      onSynced: () => context.synced(),
      onEmptied: () => this.#asking.abort(),
      onNotices: () => this.#reportNotices(),
      onDefect: error => this.#defect.reject(error),
    })
  }

  async run(): Promise<void> {
    const { signal, wanted } = this.#context
    const unsubscribe = wanted.onChange(() => this.#watches.balance())
    const ended = new AbortController()
    const end = (): void => {
      ended.abort()
      this.#asking.abort()
      void this.#watches.stop()
    }
    signal.addEventListener('abort', end, { once: true })
    try {
      const loops = [this.#followCatalog(ended.signal), this.#followToken(ended.signal), this.#followCa(ended.signal)]
      await Promise.race([Promise.all(loops), this.#defect.promise])
    } finally {
      signal.removeEventListener('abort', end)
      unsubscribe()
      end()
      await this.#watches.stop()
      this.#client.close()
    }
    signal.throwIfAborted()
  }

  async #followCatalog(over: AbortSignal): Promise<void> {
    const { clock, random } = this.#context
    const isOver = (): boolean => over.aborted
    const backOff = new BackOff(500, 30_000)
    const probeBackOff = new BackOff(500, probeCapMs)
    const floor = new RateFloor(catalogReadsPerSecond, catalogReadsPerSecond)
    let index: string | undefined
    let resets = 0
    let limited = 0
    while (!isOver()) {
      const wait = floor.take(clock.now())
      if (wait > 0) await clock.sleep(wait, over)
      if (isOver()) return
      const asking = new AbortController()
      this.#asking = asking
      const again = (): boolean => asking.signal.aborted
      const reading = await this.#readCatalog(index, asking.signal)
      if (isOver()) return
      let pauseMs: number
      if (again()) {
        index = undefined
        continue
      }
      if (reading.kind === 'value') {
        const sure = this.#takeCatalog(reading)
        const moved = reading.index !== index
        // An index that went back is forgiven when a blocking query, not only the read without one, came through.
        if (resets > 0 && index !== undefined) resets = 0
        if (resets === 0 && sure) backOff.reset()
        probeBackOff.reset()
        limited = 0
        // An answer that may not take away is no good to wait on: the next one may be whole.
        index = sure ? reading.index : undefined
        // The catalog's index moves with every instance of every service: look at the names only so often, the rarer the more there are.
        pauseMs = sure ? (moved ? pauseFor(reading.body as object) : 0) : backOff.next(random())
      } else {
        this.#failed(reading)
        index = undefined
        if (reading.reset === true && resets++ === 0) continue
        limited = reading.retryAfterMs === undefined ? 0 : limited + 1
        const asked = Math.min((reading.retryAfterMs ?? 0) * limited, 300_000)
        pauseMs = Math.max(asked, (reading.code === 'consul-unreachable' ? probeBackOff : backOff).next(random()))
      }
      if (pauseMs > 0) await clock.sleep(pauseMs, asking.signal)
      if (again()) index = undefined
    }
  }

  /** Looks whether the token was rotated: what blocks with the old one would not see what the new one may for minutes. */
  async #followToken(over: AbortSignal): Promise<void> {
    if (this.#settings.token?.file === undefined) return
    const { clock } = this.#context
    const isOver = (): boolean => over.aborted
    while (!isOver()) {
      await clock.sleep(tokenCheckMs, over)
      if (isOver()) return
      if (!this.#client.tokenChanged()) continue
      this.#context.log.info({}, 'the token file changed: everything is read anew')
      this.#asking.abort()
      this.#watches.refresh()
    }
  }

  #followCa(over: AbortSignal): Promise<void> {
    return followCa({
      ...{ ca: this.#ca, client: this.#client, context: this.#context, over },
      waitSeconds: this.#settings.watches?.waitSeconds ?? 300,
      onIdentity: () => this.#watches.refresh(),
    })
  }

  async #readCatalog(index: string | undefined, signal: AbortSignal): Promise<Reading> {
    const waitSeconds = this.#settings.watches?.waitSeconds ?? 300
    try {
      return judge(await this.#client.catalogServices({ index, waitSeconds, signal }), isCatalog, index)
    } catch (error) {
      return failureOf(error)
    }
  }

  /** Gives whether the answer was authoritative. */
  #takeCatalog(reading: Extract<Reading, { kind: 'value' }>): boolean {
    const authoritative = this.#known.catalogAcl.judge(reading.doubts)
    if (this.#failing) {
      this.#failing = false
      this.#context.log.info({}, 'Consul answers again')
      this.#watches.recovered()
    }
    this.#context.report({ ok: true, scope: '' })
    // `judge` has checked the shape.
    const names = Object.keys(reading.body as object).filter(name => name !== 'consul')
    this.#watches.names(names, authoritative)
    this.#reportNotices()
    // Filtered answers stay filtered until the token or its rules change, which moves the index.
    return authoritative || reading.doubts.every(doubt => doubt === 'acl-filtered')
  }

  #failed(reading: Extract<Reading, { kind: 'error' }>): void {
    const { log } = this.#context
    if (!this.#failing)
      log.warn({ code: reading.code, error: reading.text }, 'Consul does not answer as it should, its last good endpoints stay')
    this.#failing = true
    this.#context.report({ ok: false, code: reading.code, error: reading.text })
  }

  #reportNotices(): void {
    const filtered = this.#known.catalogAcl.filtered
    const own = filtered ? ['the ACL token does not see all services: grant service:read and node:read, or ignore this'] : []
    const notice = [...own, ...this.#watches.notices()].join('; ')
    if (notice === this.#notice) return
    this.#notice = notice
    // Says nothing about the catalog's own success, which `scope: ''` would clear.
    this.#context.report({ ok: true, scope: noticeScope, notice })
  }
}

/** A scope that no service has, for reports that carry only a notice. */
const noticeScope = '/notice'

/** How long to leave the catalog alone after it changed: nothing worth speaking of for few services, a second for ten thousand. */
function pauseFor(catalog: object): number {
  return Math.min(1000, Math.max(20, Object.keys(catalog).length / 10))
}
