import type { Clock, SourceLog } from '../discovery/contract.ts'
import { errorText, IsthmusError } from '../model/errors.ts'
import { didYouMean } from '../model/nearest.ts'
import type { Override } from '../model/override.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { DamagedError, type Database } from '../state/database.ts'
import type { WriteBehind } from '../state/write-behind.ts'
import { addressKey } from '../table/finish-pool.ts'
import type { OverrideDesk, OverrideRequest, OverrideState } from '../table/overrides.ts'

/** For `Database`. */
export const overridesPart = {
  name: 'overrides',
  content: 'overrides',
  loss: 'operators have to set their overrides again',
  formats: ['CREATE TABLE overrides (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT'],
} as const

export interface OverridesGiven {
  readonly clock: Clock
  readonly log: SourceLog
  readonly database: Database
  /** For what could not be written at once. */
  readonly writer: (write: () => Promise<boolean>) => WriteBehind
  /** Endpoints of these services are to be judged anew. */
  readonly changed: (services: readonly ServiceKey[]) => void
  /** Is told of every decision, before the endpoints follow. */
  readonly record: (event: OverrideEvent) => void
}

/** What was done with an override, and by whom. */
export interface OverrideEvent {
  readonly what: 'override-set' | 'override-unset' | 'override-expired'
  readonly override: Override
  readonly actor: string
  /** The one of the same id that it replaced. */
  readonly before?: Override
}

interface Kept extends OverrideState {
  /** From setting it to its end. */
  readonly ttlMs: number | undefined
  /** Of the monotonic clock. */
  readonly endsAt: number
  kept: boolean
}

/** The longest sleep of a timer. */
const maxSleepMs = 86_400_000

/**
 * Operators' decisions: written at once, read again at start, ended by their time. Within one run time is that of the monotonic clock: setting
 * the wall clock neither ends nor prolongs them. Over a restart the wall clock counts, and never gives more than was asked for.
 */
export class Overrides implements OverrideDesk {
  readonly #given: OverridesGiven
  readonly #all = new Map<string, Kept>()
  readonly #byService = new Map<ServiceKey, Map<string, Override>>()
  /** Ids that are to be written, or deleted. */
  readonly #unwritten = new Set<string>()
  readonly #writer: WriteBehind
  #timer = new AbortController()

  constructor(given: OverridesGiven) {
    this.#given = given
    this.#writer = given.writer(() => Promise.resolve().then(() => this.#write()))
  }

  /** Reads what was kept; what ended meanwhile is dropped. Without a usable database it begins with nothing, and says so. */
  load(): void {
    const { clock, database, log, record } = this.#given
    try {
      const rows = database.read(open => open.prepare('SELECT id, body FROM overrides').all().map(readRow))
      const ended: Override[] = []
      for (const { override, setAt, ttlMs } of rows) {
        const left = ttlMs === undefined ? Infinity : Math.min(ttlMs, setAt + ttlMs - clock.wall())
        if (left > 0) this.#enter({ override, setAt, ttlMs, endsAt: clock.now() + left, kept: true })
        else ended.push(override)
      }
      for (const override of ended) {
        record({ what: 'override-expired', override, actor: 'isthmus' })
        this.#unwritten.add(override.id)
      }
      if (ended.length > 0) this.#persist()
    } catch (error) {
      log.error({ code: 'state-unusable', part: overridesPart.name }, errorText(error))
    }
    this.#given.changed([...this.#byService.keys()])
    this.#watch()
  }

  /** Overrides of a service by `addressKey`: what the endpoint table asks for. */
  of(service: ServiceKey): ReadonlyMap<string, Override> | undefined {
    return this.#byService.get(service)
  }

  list(): readonly OverrideState[] {
    return [...this.#all.values()].sort((a, b) => (a.override.id < b.override.id ? -1 : 1))
  }

  put({ ttlMs, ...request }: OverrideRequest): OverrideState {
    const { clock, changed, record } = this.#given
    const other = this.#byService.get(request.service)?.get(addressKey(request))
    if (other !== undefined && other.id !== request.id) throw conflictError(other, request)
    const setAt = clock.wall()
    const override: Override = Object.freeze({ ...request, ...(ttlMs === undefined ? {} : { expiresAt: setAt + ttlMs }) })
    const before = this.#leave(request.id)
    const kept: Kept = { override, setAt, ttlMs, endsAt: clock.now() + (ttlMs ?? Infinity), kept: false }
    this.#enter(kept)
    this.#unwritten.add(override.id)
    record({ what: 'override-set', override, actor: override.actor, ...(before === undefined ? {} : { before }) })
    changed(before === undefined ? [override.service] : [before.service, override.service])
    this.#persist()
    this.#watch()
    return kept
  }

  remove(id: string, actor: string): void {
    if (!this.#all.has(id)) {
      const hint = didYouMean(id, [...this.#all.keys()])
      throw new IsthmusError('override-unknown', `there is no override "${id}"; ${hint === '' ? 'isthmus overrides lists them' : hint}`)
    }
    this.#end(id, 'override-unset', actor)
    this.#persist()
    this.#watch()
  }

  close(): void {
    this.#timer.abort()
  }

  #end(id: string, what: OverrideEvent['what'], actor: string): void {
    const override = this.#leave(id)
    if (override === undefined) return
    this.#unwritten.add(id)
    this.#given.record({ what, override, actor })
    this.#given.changed([override.service])
  }

  #enter(kept: Kept): void {
    const { override } = kept
    this.#all.set(override.id, kept)
    let places = this.#byService.get(override.service)
    if (places === undefined) this.#byService.set(override.service, (places = new Map<string, Override>()))
    places.set(addressKey(override), override)
  }

  #leave(id: string): Override | undefined {
    const override = this.#all.get(id)?.override
    if (override === undefined) return undefined
    this.#all.delete(id)
    const places = this.#byService.get(override.service)
    places?.delete(addressKey(override))
    if (places?.size === 0) this.#byService.delete(override.service)
    return override
  }

  /** Sleeps until the first one ends. */
  #watch(): void {
    this.#timer.abort()
    const first = Math.min(...[...this.#all.values()].map(one => one.endsAt))
    if (first === Infinity) return
    const timer = new AbortController()
    this.#timer = timer
    const { clock } = this.#given
    void clock.sleep(Math.min(Math.max(first - clock.now(), 0), maxSleepMs), timer.signal).then(() => {
      if (timer.signal.aborted) return
      const now = clock.now()
      const ended = [...this.#all.values()].filter(one => one.endsAt <= now)
      for (const { override } of ended) this.#end(override.id, 'override-expired', 'isthmus')
      if (ended.length > 0) this.#persist()
      this.#watch()
    })
  }

  /** Writes at once, so that what was answered is kept; what cannot be written is tried again. */
  #persist(): void {
    try {
      this.#write()
    } catch {
      // The writer tries the same again, and tells what is wrong.
      this.#writer.due()
    }
  }

  #write(): boolean {
    if (this.#unwritten.size === 0) return false
    const ids = [...this.#unwritten]
    this.#given.database.write(open => {
      const put = open.prepare('INSERT OR REPLACE INTO overrides VALUES (?, ?)')
      const drop = open.prepare('DELETE FROM overrides WHERE id = ?')
      for (const id of ids) {
        const kept = this.#all.get(id)
        if (kept === undefined) drop.run(id)
        else put.run(id, JSON.stringify({ override: kept.override, setAt: kept.setAt, ttlMs: kept.ttlMs }))
      }
    })
    for (const id of ids) {
      this.#unwritten.delete(id)
      const kept = this.#all.get(id)
      if (kept !== undefined) kept.kept = true
    }
    return false
  }
}

/** One endpoint has one override at most. */
export function conflictError(other: Override, { address, port, service }: Pick<Override, 'address' | 'port' | 'service'>): IsthmusError {
  return new IsthmusError(
    'override-conflict',
    `${address} port ${String(port)} of ${service} has the override ${other.id} (${other.action}, by ${other.actor}: ${other.reason}); ` +
      'take that back first (isthmus unset), or use its id to replace it',
  )
}

interface Row {
  readonly override: Override
  readonly setAt: number
  readonly ttlMs: number | undefined
}

function readRow(row: Record<string, unknown>): Row {
  const { override, setAt, ttlMs } = JSON.parse(String(row['body'])) as Partial<Row>
  if (override === undefined || override.id !== row['id'] || typeof setAt !== 'number')
    throw new DamagedError(`the override ${String(row['id'])} makes no sense`)
  return { override: Object.freeze(override), setAt, ttlMs }
}
