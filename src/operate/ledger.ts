import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../discovery/contract.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { Database } from '../state/database.ts'
import type { WriteBehind } from '../state/write-behind.ts'
import { type LedgerEntry, type LedgerEvent, type LedgerReader, placeKey, type SeenEndpoint, undo } from '../table/ledger.ts'
import type { TableChange } from '../table/reader.ts'
import type { OverrideEvent } from './overrides.ts'
import { type Pending, PendingChange, PendingChanges } from './pending-changes.ts'

/** For `Database`. `now` is what the entries lead to: undoing them from there gives every earlier time. */
export const ledgerPart = {
  name: 'ledger',
  content: 'history of endpoints',
  loss: 'the history begins anew',
  formats: [
    `CREATE TABLE entries (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, service TEXT, body TEXT NOT NULL) STRICT;
    CREATE INDEX entries_of_service ON entries (service, seq);
    CREATE TABLE now (service TEXT, place TEXT, body TEXT NOT NULL, PRIMARY KEY (service, place)) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT`,
  ],
} as const

export interface LedgerGiven {
  readonly clock: Clock
  readonly database: Database
  readonly writer: (write: (enough: () => boolean) => boolean) => WriteBehind
  readonly maxAgeMs: number
  readonly maxBytes: number
}

/** Entries deleted in one go when the bounds are passed. */
const pruneStep = 500
/** Transactions between two looks at the bounds. */
const pruneEvery = 16

/**
 * Every change of every service's endpoints and what users did, within bounds of age and size (reference/discovery.md 7.3). On the path of a
 * change it only notes the two views; differences are found and written later.
 */
export class Ledger implements LedgerReader {
  readonly #given: LedgerGiven
  readonly #pending = new PendingChanges()
  readonly #writer: WriteBehind
  readonly #listeners = new Set<() => void>()
  /** Services whose first change since the start is compared with what was known before. */
  readonly #begun = new Set<ServiceKey>()
  #last: number | undefined
  #since = 0
  #writes = 0

  constructor(given: LedgerGiven) {
    this.#given = given
    this.#writer = given.writer(enough => this.#write(enough))
  }

  /** The table changed. */
  note(change: TableChange): void {
    this.#pending.note(change, this.#given.clock.wall())
    this.#writer.due()
  }

  /** A user did something. `override`: id of the one that ended by it. */
  record(event: Omit<LedgerEvent, 'at' | 'before' | 'after'>, override?: string): void {
    this.#pending.record({ ...event, at: this.#given.clock.wall(), before: [], after: [] }, override)
    this.#writer.due()
  }

  /** An operator decided about an endpoint, which is told before the endpoint follows. */
  recordOverride({ what, override, actor }: Pick<OverrideEvent, 'what' | 'override' | 'actor'>, revision: number): void {
    const { id, service, address, port, action, value, reason } = override
    const weight = value === undefined ? '' : ` ${String(value)}`
    const text = `override ${id}: ${action}${weight} ${address} port ${String(port)}: ${reason}`
    this.record({ revision, service, cause: what, sources: [], actor, text }, what === 'override-set' ? undefined : id)
  }

  /** All sources were read since the start: services that are no more are noted as gone. */
  settle(services: ReadonlySet<ServiceKey>, revision: number): void {
    // Not flushed: a first sync's entries, written at once, would hold up everything for as long as it was large.
    const gone = this.#given.database.read(open =>
      open
        .prepare('SELECT DISTINCT service FROM now')
        .all()
        .map(row => row['service'] as ServiceKey)
        .filter(service => !services.has(service) && !this.#pending.has(service)),
    )
    for (const service of gone) {
      const before = this.#given.database.read(open => [...stateNow(open, service).values()])
      this.#pending.record({
        ...{ at: this.#given.clock.wall(), revision, service, cause: 'restart', sources: [], actor: undefined },
        ...{ text: 'known before the gateway started, and to no source since', before, after: [] },
      })
    }
    if (gone.length > 0) this.#writer.due()
  }

  get last(): number {
    this.#flush()
    return this.#last ?? 0
  }

  get reachesBackTo(): number {
    this.#flush()
    return this.#since
  }

  entries({ after = 0, service, since, limit }: Parameters<LedgerReader['entries']>[0]): readonly LedgerEntry[] {
    this.#flush()
    const where = ['seq > ?', ...(service === undefined ? [] : ['service = ?']), ...(since === undefined ? [] : ['at >= ?'])]
    const values = [after, ...(service === undefined ? [] : [service]), ...(since === undefined ? [] : [since]), limit]
    return this.#given.database.read(open =>
      open
        .prepare(`SELECT seq, body FROM entries WHERE ${where.join(' AND ')} ORDER BY seq LIMIT ?`)
        .all(...values)
        .map(readEntry),
    )
  }

  at(service: ServiceKey, time: number): readonly SeenEndpoint[] | undefined {
    if (time < this.reachesBackTo) return undefined
    return this.#given.database.read(open => {
      const state = stateNow(open, service)
      const later = open.prepare('SELECT seq, body FROM entries WHERE service = ? AND at > ? ORDER BY seq DESC').all(service, time)
      for (const row of later) undo(state, readEntry(row))
      return [...state.values()].sort((a, b) => (a.address === b.address ? a.port - b.port : a.address < b.address ? -1 : 1))
    })
  }

  onEntries(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Who asks sees everything that happened, also what is not written yet. */
  #flush(): void {
    this.#open()
    while (this.#write(() => false));
  }

  #open(): void {
    if (this.#last !== undefined) return
    const wall = Math.round(this.#given.clock.wall())
    this.#given.database.write(open => {
      open.prepare(`INSERT OR IGNORE INTO facts VALUES ('since', ?)`).run(wall)
      const fact = open.prepare(`SELECT value FROM facts WHERE name = ?`)
      this.#since = Number(fact.get('since')?.['value'])
      this.#last = Number(fact.get('last')?.['value'] ?? 0)
    })
  }

  #write(enough: () => boolean): boolean {
    this.#open()
    const batch: Pending[] = []
    let last = this.#last ?? 0
    let isMore = false
    try {
      this.#given.database.write(open => {
        const insert = open.prepare('INSERT INTO entries VALUES (?, ?, ?, ?)')
        const put = open.prepare('INSERT OR REPLACE INTO now VALUES (?, ?, ?)')
        const drop = open.prepare('DELETE FROM now WHERE service = ? AND place = ?')
        for (;;) {
          if (batch.length > 0 && enough()) {
            isMore = this.#pending.size > 0
            break
          }
          const one = this.#pending.take()
          if (one === undefined) break
          batch.push(one)
          const event = one instanceof PendingChange ? this.#eventOf(open, one) : one.event
          if (event === undefined) continue
          const { at, service = null, ...body } = event
          insert.run(++last, Math.round(at), service, JSON.stringify({ at, service: event.service, ...body }))
          if (service === null) continue
          const after = new Set(event.after.map(placeKey))
          for (const left of event.before) if (!after.has(placeKey(left))) drop.run(service, placeKey(left))
          for (const right of event.after) put.run(service, placeKey(right), JSON.stringify(right))
        }
        if (last !== this.#last) open.prepare(`INSERT OR REPLACE INTO facts VALUES ('last', ?)`).run(last)
        if (this.#writes++ % pruneEvery === 0) this.#prune(open)
      })
    } catch (error) {
      this.#pending.giveBack(batch)
      throw error
    }
    for (const one of batch) if (one instanceof PendingChange) this.#begun.add(one.service)
    if (last !== this.#last) {
      this.#last = last
      for (const listener of this.#listeners) listener()
    }
    return isMore
  }

  /** Finds what differs; the first time since the start against what was known before it. */
  #eventOf(open: DatabaseSync, pending: PendingChange): LedgerEvent | undefined {
    const event = pending.find()
    if (this.#begun.has(pending.service) || pending.hasBefore) return event
    const state = stateNow(open, pending.service)
    if (state.size === 0) return event
    const after = (event?.after ?? []).filter(one => {
      const known = state.get(placeKey(one))
      const isSame = known !== undefined && JSON.stringify(known) === JSON.stringify(one)
      if (isSame) state.delete(placeKey(one))
      return !isSame
    })
    const before = [...state.values()]
    if (after.length === 0 && before.length === 0) return undefined
    const text = 'since the gateway was away'
    return { ...pending.meta(), cause: 'restart', sources: event?.sources ?? [], actor: undefined, text, before, after }
  }

  #prune(open: DatabaseSync): void {
    const oldest = this.#given.clock.wall() - this.#given.maxAgeMs
    const pragma = (name: string): number => Number(Object.values(open.prepare(`PRAGMA ${name}`).get() ?? {})[0])
    const bytes = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
    const [first] = open.prepare('SELECT seq, at FROM entries ORDER BY seq LIMIT 1').all()
    if (first === undefined || (bytes <= this.#given.maxBytes && Number(first['at']) >= oldest)) return
    const until = Number(first['seq']) + pruneStep
    const bound = bytes > this.#given.maxBytes ? Number.MAX_SAFE_INTEGER : Math.round(oldest)
    const gone = open.prepare('SELECT max(at) AS at FROM entries WHERE seq < ? AND at < ?').get(until, bound)
    open.prepare('DELETE FROM entries WHERE seq < ? AND at < ?').run(until, bound)
    this.#since = Math.max(this.#since, Number(gone?.['at'] ?? 0))
    open.prepare(`INSERT OR REPLACE INTO facts VALUES ('since', ?)`).run(this.#since)
  }
}

function stateNow(open: DatabaseSync, service: ServiceKey): Map<string, SeenEndpoint> {
  const rows = open.prepare('SELECT place, body FROM now WHERE service = ?').all(service)
  return new Map(rows.map(row => [String(row['place']), JSON.parse(String(row['body'])) as SeenEndpoint]))
}

function readEntry(row: Record<string, unknown>): LedgerEntry {
  return { seq: Number(row['seq']), ...(JSON.parse(String(row['body'])) as LedgerEvent) }
}
