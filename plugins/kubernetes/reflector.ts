import { BackOff } from '../../src/discovery/back-off.ts'
import type { Clock, SourceLog } from '../../src/discovery/contract.ts'
import { asFailure, KubeFailure } from './failure.ts'
import { listResource, type Reading } from './list.ts'
import { keyOf, type KubeObject, type Listed } from './resource.ts'
import { Shelf, type ResourceChange } from './shelf.ts'
import { watchResource } from './watch.ts'

/** What a reflector follows, and whom it tells. */
export interface ReflectorOptions<T> extends Omit<Reading<T>, 'strip'> {
  /** As in Reading; `former`: what is kept of the object's last state, parts of which it may use again. */
  readonly strip: (object: KubeObject, former: T | undefined) => T | undefined
  /**
   * What became different, in the order of the API server; after a list everything at once. `receivedAt`: when it arrived (`clock.now()`);
   * `origin`: events of a watch were witnessed, a list merely lacks what is gone. Called synchronously, never with an empty list.
   */
  readonly onChanges: (changes: readonly ResourceChange<T>[], receivedAt: number, origin: 'watch' | 'list') => void
  /** The store equals a complete list: after the first one, and after every later one. */
  readonly onSynced: () => void
  /** `status` says something else: it fails, works again, or was heard of after a pause. */
  readonly onStatus?: (status: ReflectorStatus) => void
  /** What a former reflector of the same resource knew, to go on with; default: nothing. */
  readonly shelf?: Shelf<T>
  /** A resource that the API server does not know (any more): `keep` what is known of it, or take it as a list without objects. Default keep. */
  readonly whenAbsent?: 'keep' | 'empty'
  readonly timing?: Partial<ReflectorTiming>
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly log: SourceLog
}

export interface ReflectorTiming {
  /** The API server ends a watch after this many seconds to twice as many. */
  readonly watchSeconds: number
  /** A watch without a byte for this long is dead; API servers send a bookmark every minute. */
  readonly stallSeconds: number
  /** How often everything is listed anew beside a working watch, to find what it missed (reference/discovery.md 3.3). */
  readonly relistSeconds: number
  /** Objects per page of a list. */
  readonly pageSize: number
  /** Bounds of the delay after a failure. */
  readonly backOffMs: readonly [first: number, cap: number]
}

export const defaultTiming: ReflectorTiming = {
  watchSeconds: 300,
  stallSeconds: 90,
  relistSeconds: 2700,
  pageSize: 500,
  backOffMs: [1000, 30_000],
}

/** How a reflector is doing. */
export interface ReflectorStatus {
  /** `listing` before and between watches, `watching`, `waiting` after a failure. */
  readonly phase: 'listing' | 'watching' | 'waiting'
  /** The store has equalled a complete list in this run. */
  readonly synced: boolean
  /** What is wrong now; `absent`: not installed. */
  readonly failure: KubeFailure | undefined
  readonly counts: Readonly<ReflectorCounts>
}

/** Since the reflector was made. */
export interface ReflectorCounts {
  objects: number
  /** Complete lists. */
  lists: number
  /** Watches that were begun. */
  watches: number
  events: number
  bookmarks: number
  failures: number
  /** Resource versions that were gone (410). */
  expired: number
  /** Watches that were silent for too long. */
  stalls: number
  /** Objects that a list beside a working watch found to be otherwise. */
  drift: number
}

/** A nobody-answers is asked again at the latest after this: it is one connection attempt, and endpoints age meanwhile. */
const unreachableCapMs = 5000
/** A watch that ends within this was none: the next one waits as after a failure. */
const briefMs = 1000
/** How long the watch may take to tell what a list beside it found first. */
const settleMs = 5000
/** Success is told at most this often. */
const tellEveryMs = 1000

/**
 * Keeps a copy of one resource of an API server: pages of a list, then a watch from the list's version, for ever. A version that is gone
 * leads to another list, whose difference to the copy is told; nothing is taken away before a complete list lacks it
 * (reference/discovery.md 3.3).
 */
export class Reflector<T> {
  readonly #options: ReflectorOptions<T>
  readonly #reading: Reading<T>
  readonly #timing: ReflectorTiming
  readonly #counts: ReflectorCounts = {
    objects: 0,
    lists: 0,
    watches: 0,
    events: 0,
    bookmarks: 0,
    failures: 0,
    expired: 0,
    stalls: 0,
    drift: 0,
  }
  readonly #shelf: Shelf<T>
  readonly #backOff: BackOff
  readonly #probeBackOff: BackOff
  #phase: ReflectorStatus['phase'] = 'listing'
  #synced = false
  #failure: KubeFailure | undefined
  #version: string | undefined
  #toldAt = -Infinity
  /** Watches in a row that ended by silence. */
  #silences = 0
  #place: string | undefined
  #restart = new AbortController()

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#timing = { ...defaultTiming, ...options.timing }
    const shelf = (this.#shelf = options.shelf ?? new Shelf<T>())
    this.#reading = { ...options, strip: object => options.strip(object, shelf.get(keyOf(object.metadata))) }
    const [first, cap] = this.#timing.backOffMs
    this.#backOff = new BackOff(first, cap)
    this.#probeBackOff = new BackOff(Math.min(first, 500), Math.min(cap, unreachableCapMs))
  }

  /** All objects that are known, by `namespace/name` (`/name` without a namespace). */
  get objects(): Shelf<T> {
    return this.#shelf
  }

  get status(): ReflectorStatus {
    const counts = { ...this.#counts, objects: this.#shelf.size }
    return { phase: this.#phase, synced: this.#synced, failure: this.#failure, counts }
  }

  /** Asks again now: after a pause at once, and with `relist` from the beginning. */
  nudge(relist = false): void {
    if (relist) this.#version = undefined
    if (relist || this.#phase === 'waiting') this.#restart.abort()
  }

  /** Follows the resource until the signal aborts; throws only what `onChanges` throws. */
  async run(signal: AbortSignal): Promise<void> {
    this.#version = undefined
    this.#synced = false
    const isOver = (): boolean => signal.aborted
    while (!isOver()) {
      const restart = new AbortController()
      this.#restart = restart
      const both = AbortSignal.any([signal, restart.signal])
      try {
        if (this.#moved() || this.#version === undefined) this.#version = await this.#list(both)
        await this.#follow(this.#version, both)
      } catch (error) {
        if (isOver()) return
        if (restart.signal.aborted) continue
        const failure = failureOrDefect(error)
        await this.#clock.sleep(this.#fail(failure), both)
      }
    }
  }

  /** Another place is another cluster: versions mean nothing there. */
  #moved(): boolean {
    let place: string
    try {
      place = this.#options.client.credentials.place()
    } catch (error) {
      throw asFailure('credentials', error)
    }
    const moved = this.#place !== undefined && this.#place !== place
    this.#place = place
    return moved
  }

  async #list(signal: AbortSignal): Promise<string> {
    this.#phase = 'listing'
    let listed: Listed<T>
    try {
      listed = await listResource(this.#reading, this.#timing.pageSize, signal)
    } catch (error) {
      const failure = asFailure('list', error)
      if (failure.kind !== 'absent' || this.#options.whenAbsent !== 'empty' || signal.aborted) throw error
      this.#tell(this.#shelf.replace({ items: new Map(), version: '' }), 'list')
      this.#synced = true
      this.#options.onSynced()
      throw error
    }
    this.#counts.lists++
    this.#tell(this.#shelf.replace(listed), 'list')
    this.#synced = true
    this.#works()
    this.#options.onSynced()
    return listed.version
  }

  /** One watch, and beside it, when it is due, a list that looks for what watches missed. */
  async #follow(version: string, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options
    const over = new AbortController()
    const both = AbortSignal.any([signal, over.signal])
    const startedAt = clock.now()
    this.#counts.watches++
    const audits = this.#audits(both)
    // An audit's failure is that of the watch: it must not be unhandled when the watch ends first.
    audits.catch(() => undefined)
    try {
      const timeoutSeconds = Math.round(this.#timing.watchSeconds * (1 + random()))
      const now = (): number => clock.now()
      const watch = watchResource(this.#reading, { version, timeoutSeconds, idleMs: this.#timing.stallSeconds * 1000, signal: both, now })
      await Promise.race([this.#consume(watch), audits.then(() => new Promise<never>(() => undefined))])
    } finally {
      over.abort()
    }
    if (clock.now() - startedAt < briefMs) throw new KubeFailure('server', 'the watch ended at once')
  }

  async #consume(watch: ReturnType<typeof watchResource<T>>): Promise<void> {
    for await (const batch of watch) {
      this.#phase = 'watching'
      if (batch.version !== undefined) this.#version = batch.version
      this.#counts.events += batch.events
      this.#counts.bookmarks += batch.bookmarks
      if (batch.events + batch.bookmarks > 0) {
        this.#silences = 0
        this.#backOff.reset()
      }
      this.#works()
      if (batch.items.length > 0) this.#tell(this.#shelf.patch(batch.items), 'watch', batch.receivedAt)
      if (batch.failure !== undefined) throw batch.failure
    }
  }

  async #audits(signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => signal.aborted
    for (;;) {
      await this.#clock.sleep(this.#timing.relistSeconds * 1000 * (0.75 + 0.5 * this.#options.random()), signal)
      if (isOver()) return
      try {
        const touched = this.#shelf.beginAudit()
        const listed = await listResource(this.#reading, this.#timing.pageSize, signal)
        // What changed during the list comes by the watch too, a little later.
        await this.#clock.sleep(settleMs, signal)
        if (isOver()) return
        const drift = this.#shelf.audit(listed, touched)
        this.#counts.lists++
        if (drift.length === 0) continue
        this.#counts.drift += drift.length
        this.#options.log.warn(
          { resource: this.#options.resource.plural, drift: drift.length },
          'a watch had missed changes; a list found them',
        )
        this.#tell(drift, 'list')
      } catch (error) {
        if (isOver()) return
        this.#options.log.debug(
          { resource: this.#options.resource.plural, error: asFailure('list', error).message },
          'the list beside the watch failed',
        )
      } finally {
        this.#shelf.endAudit()
      }
    }
  }

  #tell(changes: readonly ResourceChange<T>[], origin: 'watch' | 'list', receivedAt = this.#clock.now()): void {
    if (changes.length > 0) this.#options.onChanges(changes, receivedAt, origin)
  }

  #works(): void {
    const recovered = this.#failure !== undefined
    this.#failure = undefined
    this.#probeBackOff.reset()
    if (recovered) this.#options.log.info(this.#label(), 'the API server answers again')
    const now = this.#clock.now()
    if (!recovered && now - this.#toldAt < tellEveryMs) return
    this.#toldAt = now
    this.#options.onStatus?.(this.status)
  }

  /** Notes it and gives how long to wait (ms). */
  #fail(failure: KubeFailure): number {
    const { log, random } = this.#options
    if (failure.kind === 'expired') {
      this.#version = undefined
      this.#counts.expired++
    }
    if (failure.kind === 'stalled') {
      this.#counts.stalls++
      // Silence alone may be a quiet resource: once more from where it was, then from the beginning.
      if (++this.#silences > 1) this.#version = undefined
    }
    this.#counts.failures++
    const delay = Math.max(failure.retryAfterMs, (failure.kind === 'unreachable' ? this.#probeBackOff : this.#backOff).next(random()))
    // So watches end when nothing is wrong.
    const ordinary = this.#phase === 'watching' && this.#failure === undefined && ordinaryEnds.has(failure.kind)
    const first = this.#failure?.kind !== failure.kind
    this.#phase = 'waiting'
    if (ordinary) {
      log.debug({ ...this.#label(), error: failure.message }, 'the watch ended')
      return delay * random()
    }
    this.#failure = failure
    if (first)
      log.warn(
        { ...this.#label(), error: failure.message, retryInMs: Math.round(delay) },
        'a Kubernetes resource cannot be read; what is known of it stays',
      )
    this.#toldAt = -Infinity
    this.#options.onStatus?.(this.status)
    return delay
  }

  #label(): object {
    const { resource, namespace } = this.#options
    return { resource: resource.plural, ...(namespace === undefined ? {} : { namespace }) }
  }

  get #clock(): Clock {
    return this.#options.clock
  }
}

const ordinaryEnds: ReadonlySet<string> = new Set(['expired', 'stalled', 'server'])

/** A defect of our own is none of the API server's failures. */
function failureOrDefect(error: unknown): KubeFailure {
  if (error instanceof KubeFailure) return error
  throw error
}
