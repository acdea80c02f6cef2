import { BackOff } from '../../src/discovery/back-off.ts'
import type { RemovalCause, SourceContext } from '../../src/discovery/contract.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'
import { type ConsulClient, failureOf } from './client.ts'
import { type HealthEntry, isHealthEntries } from './entry.ts'
import type { KnownService } from './known-service.ts'
import { RateFloor } from './rate-floor.ts'
import { judge, type Reading } from './reading.ts'
import { translate, type TranslateGiven, type Translation } from './translate.ts'

export interface ServiceWatchGiven extends TranslateGiven {
  readonly client: ConsulClient
  readonly context: SourceContext
  /** All services' reads together (reference/discovery.md 2.2 rule 7). */
  readonly sourceFloor: RateFloor
  /** Runs a read that does not block when its turn comes: a thousand at once would be a storm. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>
  /** Something of `settled`, `emptied`, `refusals` or `hidden` is new. */
  readonly onStatus: (watch: ServiceWatch) => void
  /** The watch ended by a defect of ours. */
  readonly onDefect: (error: unknown) => void
}

type Value = Extract<Reading, { kind: 'value' }>
type Refusal = Extract<Reading, { kind: 'error' }>

/** What a watch tells of itself, as it was told last. */
type Status = Pick<ServiceWatch, 'settled' | 'holds' | 'hidden' | 'emptied' | 'refusals'>

/** Reads in a row, each as soon as the rate allows and none with anything new, before a service is polled instead. */
const hotAfter = 20
/** Failed first reads after which the source's first sync does not wait for this service any longer. */
const settleAfterFailures = 3

/** One service: reads it by blocking queries, or when told, and emits its group (reference/discovery.md 2.2). */
export class ServiceWatch {
  readonly name: string
  readonly #key: ServiceKey
  readonly #known: KnownService
  readonly #given: ServiceWatchGiven
  readonly #floor: RateFloor
  readonly #backOff = new BackOff(500, 30_000)
  /** While the service is followed. */
  #life: AbortController | undefined
  /** The read or the pause that is under way; what it gives after its abort is dropped. */
  #turn = new AbortController()
  #ended: Promise<void> = Promise.resolve()
  #index: string | undefined
  /** Of the last good answer, while nothing went wrong since: a removal that follows on it was witnessed. */
  #seenIndex: string | undefined
  /** Why the service answers empty. */
  #emptiedBy: RemovalCause = 'absent'
  #resets = 0
  #limited = 0
  #failures = 0
  #pollAt = 0
  #read = false
  #told: Status = { settled: false, holds: false, hidden: false, emptied: false, refusals: [] }

  constructor(name: string, key: ServiceKey, known: KnownService, given: ServiceWatchGiven) {
    this.name = name
    this.#key = key
    this.#known = known
    this.#given = given
    this.#floor = new RateFloor(2, given.settings.watches?.readsPerSecond ?? 10)
  }

  /** It was read in this run. */
  get read(): boolean {
    return this.#read
  }

  /** It was read in this run, or fails so steadily that nothing should wait for it. */
  get settled(): boolean {
    return this.#read || this.#failures >= settleAfterFailures
  }

  get failing(): boolean {
    return this.#failures > 0
  }

  get emptied(): boolean {
    return this.#known.state.emptied
  }

  /** Endpoints are held although the service answers empty. */
  get holds(): boolean {
    return this.emptied && this.#known.state.endpoints.length > 0
  }

  get refusals(): readonly string[] {
    return this.#known.state.refusals
  }

  /** The ACL token does not see all instances. */
  get hidden(): boolean {
    return this.#known.acl.filtered
  }

  /** When the next `poll` does something. */
  get pollAt(): number {
    return this.#pollAt
  }

  get following(): boolean {
    return this.#life !== undefined
  }

  /** Begins to follow the service by blocking queries. What fails is reported and tried again. */
  follow(): void {
    if (this.#life !== undefined) return
    // A poll that is under way would race with the first read.
    this.#turn.abort()
    const life = new AbortController()
    this.#life = life
    this.#ended = this.#follow(life.signal).catch(this.#given.onDefect)
  }

  /** Ends what is under way; resolves when it has. */
  stop(): Promise<void> {
    this.#life?.abort()
    this.#life = undefined
    this.#turn.abort()
    return this.#ended
  }

  /** Asks anew at once, without an index: something else says that the answer may be another one now. */
  nudge(): void {
    this.#index = undefined
    this.#pollAt = 0
    this.#turn.abort()
  }

  /** Consul answers again after a failure: a service that failed does not wait longer, unless it was told to. */
  retry(): void {
    if (this.failing && this.#limited === 0) this.nudge()
  }

  /** One read that does not block, if it is due. */
  async poll(): Promise<void> {
    const { clock } = this.#given.context
    if (this.#life !== undefined || clock.now() < this.#pollAt) return
    const turn = this.#begin()
    const { restMs } = await this.#ask(turn, false)
    if (!turn.aborted) this.#pollAt = clock.now() + (restMs > 0 ? restMs : this.#pollMs())
  }

  /** The catalog says that the service is gone, and the last answer was empty too. */
  gone(): void {
    const { context } = this.#given
    if (this.failing) context.report({ ok: true, scope: this.name })
    if (this.#known.state.gone()) this.#emit(context.clock.now(), this.#emptiedBy)
  }

  #begin(): AbortSignal {
    this.#turn = new AbortController()
    return this.#turn.signal
  }

  async #follow(life: AbortSignal): Promise<void> {
    const { context, sourceFloor } = this.#given
    const { clock } = context
    let idle = 0
    while (!life.aborted) {
      const turn = this.#begin()
      const isOver = (): boolean => turn.aborted
      const now = clock.now()
      const wait = Math.max(this.#floor.take(now), sourceFloor.take(now))
      const hot = idle >= hotAfter
      const pause = hot ? this.#pollMs() : wait
      if (pause > 0) await clock.sleep(pause, turn)
      if (isOver()) continue
      const former = this.#index
      const { changed, restMs } = await this.#ask(turn, !hot)
      const calm = hot ? former === this.#index : wait === 0
      idle = changed || calm ? 0 : idle + 1
      if (restMs > 0) await clock.sleep(restMs, turn)
    }
  }

  /** One read. Gives whether it brought something new, and how long to leave Consul alone. An aborted one gives nothing. */
  async #ask(turn: AbortSignal, block: boolean): Promise<{ changed: boolean; restMs: number }> {
    const { client, settings, context, inTurn } = this.#given
    const isOver = (): boolean => turn.aborted
    // Not all the same, or a thousand queries would end together for ever.
    const waitSeconds = Math.ceil((settings.watches?.waitSeconds ?? 300) * (0.8 + 0.2 * context.random()))
    const index = block ? this.#index : undefined
    const query = { index, waitSeconds, signal: turn }
    const ask = (): ReturnType<ConsulClient['healthService']> => client.healthService(this.name, query)
    const reading = await attempt(() => (index === undefined ? inTurn(ask) : ask()), index)
    if (isOver()) return { changed: false, restMs: 0 }
    if (reading.kind === 'error') return { changed: false, restMs: this.#fail(reading) }
    const translation = this.#translate(reading)
    const authoritative = this.#known.acl.judge(reading.doubts)
    if (!authoritative || !this.#known.state.shrinks(translation)) return this.#take(reading, translation, authoritative)
    // So much goes at once that it is believed only of the leader.
    const asked = await attempt(() => client.healthService(this.name, { ...query, index: undefined, consistent: true }), undefined)
    if (isOver()) return { changed: false, restMs: 0 }
    if (asked.kind === 'error' || !this.#known.acl.judge(asked.doubts)) return this.#take(reading, translation, false)
    return this.#take(asked, this.#translate(asked), true)
  }

  #translate({ body }: Value): Translation {
    // `judge` has checked the shape.
    return translate(body as readonly HealthEntry[], this.#given)
  }

  #take(reading: Value, translation: Translation, authoritative: boolean): { changed: boolean; restMs: number } {
    const { context } = this.#given
    const { state } = this.#known
    // An index that went back is forgiven when a blocking query, not only the read without one, came through.
    const settled = this.#resets === 0 || this.#index !== undefined
    // Consul's index grows with every change: an answer that goes on from the one before tells of a deregistration, not of a loss.
    const cause = this.#seenIndex !== undefined && BigInt(reading.index) > BigInt(this.#seenIndex) ? 'explicit' : 'absent'
    this.#seenIndex = authoritative ? reading.index : undefined
    const wasEmptied = state.emptied
    this.#index = reading.index
    if (settled) this.#resets = 0
    if (settled && authoritative) this.#backOff.reset()
    this.#limited = 0
    this.#failures = 0
    const changed = state.take(translation, authoritative)
    if (state.emptied && !wasEmptied) this.#emptiedBy = cause
    // A group without endpoints says that they are gone: only what was there can be.
    if (changed || (!this.#read && state.endpoints.length > 0)) this.#emit(context.clock.now(), cause)
    // Such an answer is no good for what it lacks, and that would wait for the next change. ACLs are not over soon: they move the index.
    const lasting = reading.doubts.length > 0 && reading.doubts.every(doubt => doubt === 'acl-filtered')
    const passing = !authoritative && !lasting
    const unsure = passing && (state.lacks(translation) || !this.#read)
    if (!passing) this.#read = true
    context.report({ ok: true, scope: this.name })
    this.#tell()
    if (!unsure) return { changed, restMs: 0 }
    this.#index = undefined
    return { changed, restMs: this.#backOff.next(context.random()) }
  }

  /** Calls `onStatus` if there is something new to tell. */
  #tell(): void {
    const { settled, holds, hidden, emptied, refusals } = this
    const told = this.#told
    const same = sameTexts(told.refusals, refusals) && told.settled === settled && told.holds === holds
    if (same && told.hidden === hidden && told.emptied === emptied) return
    this.#told = { settled, holds, hidden, emptied, refusals }
    this.#given.onStatus(this)
  }

  /** Reports the failure; gives the ms to wait. */
  #fail(reading: Refusal): number {
    const { context } = this.#given
    this.#failures++
    context.report({ ok: false, code: reading.code, error: `service ${this.name}: ${reading.text}`, scope: this.name })
    // Consul may be another one when it comes back: ask for all there is.
    this.#index = undefined
    this.#seenIndex = undefined
    if (this.#failures === settleAfterFailures && !this.#read) {
      // What a former run knew stays, through the prune after the sync too.
      if (this.#known.state.endpoints.length > 0) this.#emit(context.clock.now(), 'absent')
      this.#tell()
    }
    // Once at once; a Consul that does it again and again is asked less and less often (rule 3).
    if (reading.reset === true && this.#resets++ === 0) return 0
    this.#limited = reading.retryAfterMs === undefined ? 0 : this.#limited + 1
    const asked = Math.min((reading.retryAfterMs ?? 0) * this.#limited, 300_000)
    return Math.max(asked, this.#backOff.next(context.random()))
  }

  #pollMs(): number {
    return (this.#given.settings.watches?.pollSeconds ?? 15) * 1000
  }

  #emit(receivedAt: number, cause: RemovalCause): void {
    this.#given.context.emit([{ id: this.name, service: this.#key, endpoints: this.#known.state.endpoints }], receivedAt, cause)
  }
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, at) => text === b[at])
}

/** Asks and judges; what is thrown is an error too. */
async function attempt(ask: () => ReturnType<ConsulClient['healthService']>, index: string | undefined): Promise<Reading> {
  try {
    return judge(await ask(), isHealthEntries, index)
  } catch (error) {
    return failureOf(error)
  }
}
