import { BackOff } from '../../src/discovery/back-off.ts'
import type { DiscoverySource, SourceContext, SourceGiven } from '../../src/discovery/contract.ts'
import { errorText } from '../../src/model/errors.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { createConsulClient } from './client.ts'
import { isCatalog } from './entry.ts'
import { type Doubt, judge, type Reading } from './reading.ts'
import { ServiceWatches } from './service-watches.ts'
import type { ConsulSettings } from './settings.ts'

/** Reads one datacenter of one Consul: its catalog for the names, and each service by its health endpoint. */
export function consulSource(settings: ConsulSettings, given: SourceGiven): DiscoverySource {
  // Made once here too, so that bad settings are found when the source is made, not when it runs.
  createConsulClient(settings, given.name).close()
  return { run: context => new ConsulRun(settings, given, context).run() }
}

class ConsulRun {
  readonly #settings: ConsulSettings
  readonly #context: SourceContext
  readonly #client: ReturnType<typeof createConsulClient>
  readonly #watches: ServiceWatches
  /** Aborts the catalog's blocking query, to ask anew at once. */
  #asking = new AbortController()
  #doubtsFromStart: ReadonlySet<Doubt> | undefined
  #notices = ''

  constructor(settings: ConsulSettings, given: SourceGiven, context: SourceContext) {
    this.#settings = settings
    this.#context = context
    this.#client = createConsulClient(settings, given.name)
    this.#watches = new ServiceWatches({
      settings,
      context,
      client: this.#client,
      admitAddress: address => given.admitAddress(address),
      keyOf: name => serviceKey(given.namespace, name),
      onSynced: () => context.synced(),
      onEmptied: () => this.#asking.abort(),
      onNotices: () => this.#reportNotices(),
    })
  }

  async run(): Promise<void> {
    const { signal, wanted } = this.#context
    const unsubscribe = wanted.onChange(() => this.#watches.balance())
    try {
      await this.#followCatalog()
    } finally {
      unsubscribe()
      await this.#watches.stop()
      this.#client.close()
    }
    signal.throwIfAborted()
  }

  async #followCatalog(): Promise<void> {
    const { signal, clock, random } = this.#context
    const backOff = new BackOff(500, 30_000)
    const over = (): boolean => signal.aborted
    let index: string | undefined
    let resets = 0
    while (!over()) {
      this.#asking = new AbortController()
      const reading = await this.#readCatalog(index)
      if (over()) return
      if (reading === 'again') index = undefined
      else if (reading.kind === 'value') {
        const moved = reading.index !== index
        index = reading.index
        resets = 0
        backOff.reset()
        this.#takeCatalog(reading)
        // The catalog's index moves with every instance of every service: look at most so often at the names.
        if (moved) await clock.sleep(20, signal)
      } else {
        this.#context.report({ ok: false, code: reading.code, error: reading.text })
        if (reading.reset === true) {
          index = undefined
          if (resets++ === 0) continue
        }
        await clock.sleep(Math.max(reading.retryAfterMs ?? 0, backOff.next(random())), signal)
      }
    }
  }

  async #readCatalog(index: string | undefined): Promise<Reading | 'again'> {
    const { signal } = this.#context
    const asking = this.#asking
    const waitSeconds = this.#settings.watches?.waitSeconds ?? 300
    try {
      const query = { index, waitSeconds, signal: AbortSignal.any([signal, asking.signal]) }
      return judge(await this.#client.catalogServices(query), isCatalog, index)
    } catch (error) {
      if (asking.signal.aborted) return 'again'
      return { kind: 'error', code: 'consul-unreachable', text: errorText(error) }
    }
  }

  #takeCatalog(reading: Extract<Reading, { kind: 'value' }>): void {
    this.#doubtsFromStart ??= new Set(reading.doubts)
    // A token that never saw everything is no news; one that suddenly sees less is (rule 2).
    const filtered = this.#doubtsFromStart.has('acl-filtered')
    const authoritative = reading.doubts.every(doubt => doubt === 'acl-filtered' && filtered)
    this.#notices = filtered ? 'the ACL token does not see all services: grant service:read and node:read, or ignore this' : ''
    // `judge` has checked the shape.
    this.#watches.names(
      Object.keys(reading.body as object).filter(name => name !== 'consul'),
      authoritative,
    )
    this.#reportNotices()
  }

  #reportNotices(): void {
    const notices = [this.#notices, ...this.#watches.notices()].filter(text => text !== '')
    this.#context.report({ ok: true, scope: '', notice: notices.join('; ') })
  }
}
