import { BackOff } from '../../src/discovery/back-off.ts'
import type { SourceContext } from '../../src/discovery/contract.ts'
import { errorText } from '../../src/model/errors.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'
import type { ConsulClient } from './client.ts'
import { type HealthEntry, isHealthEntries } from './entry.ts'
import { RateFloor } from './rate-floor.ts'
import { judge, type Reading } from './reading.ts'
import { ServiceState } from './service-state.ts'
import { translate, type TranslateGiven } from './translate.ts'

export interface ServiceWatchGiven extends TranslateGiven {
  readonly client: ConsulClient
  readonly context: SourceContext
  /** Runs a first read when its turn comes: a thousand at once would be a storm. */
  readonly firstRead: <T>(work: () => Promise<T>) => Promise<T>
  /** A read succeeded: the first one of this service, or one that changed what is left out or held. */
  readonly onRead: (watch: ServiceWatch) => void
}

/** Reads in a row that brought nothing new, before a service is taken for one that changes without end. */
const hotAfter = 20

/** One service: reads it by blocking queries, or when told, and emits its group (reference/discovery.md 2.2). */
export class ServiceWatch {
  readonly name: string
  readonly #key: ServiceKey
  readonly #given: ServiceWatchGiven
  readonly #state = new ServiceState()
  readonly #floor: RateFloor
  readonly #backOff = new BackOff(500, 30_000)
  #index: string | undefined
  #resets = 0
  #idleReads = 0
  #failed = false
  /** It was read at least once in this run. */
  read = false

  constructor(name: string, key: ServiceKey, given: ServiceWatchGiven) {
    this.name = name
    this.#key = key
    this.#given = given
    this.#floor = new RateFloor(2, given.settings.watches?.readsPerSecond ?? 2)
  }

  get emptied(): boolean {
    return this.#state.emptied
  }

  get refusals(): readonly string[] {
    return this.#state.refusals
  }

  /** Follows the service until the signal aborts. Never throws: what fails is reported and tried again. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock } = this.#given.context
    const over = (): boolean => signal.aborted
    while (!over()) {
      const wait = this.#floor.take(clock.now())
      if (wait > 0) await clock.sleep(this.#idleReads > hotAfter ? this.#pollMs() : wait, signal)
      if (over()) return
      await this.once(signal, true)
    }
  }

  /** One read, blocking if `block` and there is an index; an error is reported and waited for. */
  async once(signal: AbortSignal, block: boolean): Promise<void> {
    const { client, settings, context, firstRead } = this.#given
    // Not all the same, or a thousand queries would end together for ever.
    const waitSeconds = Math.ceil((settings.watches?.waitSeconds ?? 300) * (0.8 + 0.2 * context.random()))
    const index = block ? this.#index : undefined
    const ask = (): ReturnType<ConsulClient['healthService']> => client.healthService(this.name, { index, waitSeconds, signal })
    let reading: Reading
    try {
      reading = judge(await (this.read ? ask() : firstRead(ask)), isHealthEntries, index)
    } catch (error) {
      if (signal.aborted) return
      reading = { kind: 'error', code: 'consul-unreachable', text: errorText(error) }
    }
    if (signal.aborted) return
    if (reading.kind === 'value') this.#take(reading, context.clock.now())
    else await this.#fail(reading, signal)
  }

  /** The catalog says that the service is gone; that holds if the last answer was empty too. */
  gone(): void {
    if (this.#state.gone()) this.#emit(this.#given.context.clock.now())
  }

  #take(reading: Extract<Reading, { kind: 'value' }>, receivedAt: number): void {
    const { context, onRead } = this.#given
    this.#index = reading.index
    this.#resets = 0
    this.#backOff.reset()
    // `judge` has checked the shape.
    const entries = reading.body as readonly HealthEntry[]
    const before = { emptied: this.#state.emptied, refusals: this.#state.refusals.join() }
    const changed = this.#state.take(translate(entries, this.#given), reading.doubts.length === 0)
    this.#idleReads = changed ? 0 : this.#idleReads + 1
    if (changed || !this.read) this.#emit(receivedAt)
    if (this.#failed) context.report({ ok: true, scope: this.name })
    this.#failed = false
    if (this.read && before.emptied === this.#state.emptied && before.refusals === this.#state.refusals.join()) return
    this.read = true
    onRead(this)
  }

  async #fail(reading: Extract<Reading, { kind: 'error' }>, signal: AbortSignal): Promise<void> {
    const { context } = this.#given
    this.#failed = true
    context.report({ ok: false, code: reading.code, error: `service ${this.name}: ${reading.text}`, scope: this.name })
    if (reading.reset === true) {
      this.#index = undefined
      // Once at once; a Consul that does it again and again is asked less and less often (rule 3).
      if (this.#resets++ === 0) return
    }
    await context.clock.sleep(Math.max(reading.retryAfterMs ?? 0, this.#backOff.next(context.random())), signal)
  }

  #emit(receivedAt: number): void {
    this.#given.context.emit([{ id: this.name, service: this.#key, endpoints: this.#state.endpoints }], receivedAt)
  }

  #pollMs(): number {
    return (this.#given.settings.watches?.pollSeconds ?? 15) * 1000
  }
}
