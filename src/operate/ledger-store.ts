import type { DatabaseSync } from 'node:sqlite'
import type { ServiceKey } from '../model/service-key.ts'
import type { Database } from '../state/database.ts'
import {
  type LedgerEntry,
  type LedgerEvent,
  type LedgerExtent,
  type LedgerQuery,
  placeKey,
  type ReasonSince,
  type SeenEndpoint,
  undo,
} from '../table/ledger.ts'

/** One thing to enter: what a user did, or what became of the endpoints of a service. */
export interface LedgerNote extends Omit<LedgerEvent, 'before' | 'after'> {
  /** Keys of the places that the change was about, as far as they were there; undefined with `after`: all that the ledger knows of the service. */
  readonly gone?: readonly string[]
  /** Endpoints as they are since; undefined when no endpoint is concerned. */
  readonly after?: readonly SeenEndpoint[]
  /** All services that there are: others are gone. */
  readonly all?: readonly ServiceKey[]
}

/** Notes as JSON, each with its text, and a number by which a batch that comes again is known. */
export interface LedgerBatch {
  readonly id: number
  readonly notes: readonly string[]
}

export interface LedgerBounds {
  readonly maxAgeMs: number
  readonly maxBytes: number
}

/** For `serveState`. `now` is what the entries lead to: undoing them from there gives every earlier time. */
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
  open: (database: Database, bounds: LedgerBounds, wall: () => number) => new LedgerStore(database, bounds, wall),
} as const

/** Entries deleted in one go when the bounds are passed. */
const pruneStep = 2000
/** At most so many goes after one batch. */
const pruneSteps = 10
/** Batches between two looks at the bounds. */
const pruneEvery = 16

/** The ledger's database and all that is done with it: entries in order, what is now, and how to get back from there. */
export class LedgerStore {
  readonly #database: Database
  readonly #bounds: LedgerBounds
  readonly #wall: () => number
  #batches = 0

  constructor(database: Database, bounds: LedgerBounds, wall: () => number) {
    this.#database = database
    this.#bounds = bounds
    this.#wall = wall
  }

  /** Enters a batch, whole, and once however often it comes; gives how far the ledger then goes. */
  write({ id, notes }: LedgerBatch): LedgerExtent {
    const parsed = notes.map(text => JSON.parse(text) as LedgerNote)
    return this.#database.write(open => {
      const { last, since, batch } = this.#facts(open, Math.min(this.#wall(), parsed[0]?.at ?? Infinity))
      if (batch === id) return { last, since }
      const entering = new Entering(open, last)
      for (const note of parsed) entering.enter(note)
      const put = open.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)')
      put.run('last', entering.last)
      put.run('batch', id)
      return { last: entering.last, since: this.#batches++ % pruneEvery === 0 ? this.#prune(open, since) : since }
    })
  }

  extent(): LedgerExtent {
    const { last, since } = this.#database.write(open => this.#facts(open, this.#wall()))
    return { last, since }
  }

  entries({ after = 0, service, since, limit }: LedgerQuery): readonly LedgerEntry[] {
    const where = ['seq > ?', ...(service === undefined ? [] : ['service = ?']), ...(since === undefined ? [] : ['at >= ?'])]
    const values = [after, ...(service === undefined ? [] : [service]), ...(since === undefined ? [] : [since]), limit]
    return this.#database.read(open =>
      open
        .prepare(`SELECT seq, body FROM entries WHERE ${where.join(' AND ')} ORDER BY seq LIMIT ?`)
        .all(...values)
        .map(readEntry),
    )
  }

  at(service: ServiceKey, time: number): readonly SeenEndpoint[] | undefined {
    if (time < this.extent().since) return undefined
    return this.#database.read(open => {
      const state = stateNow(open, service)
      // By order, not by time: where the clock was set back, undoing one entry and not one before it would give what never was.
      const seq = open.prepare('SELECT max(seq) AS seq FROM entries WHERE service = ? AND at <= ?').get(service, time)?.['seq'] ?? 0
      const later = open.prepare('SELECT seq, body FROM entries WHERE service = ? AND seq > ? ORDER BY seq DESC').all(service, seq)
      for (const row of later) undo(state, readEntry(row))
      return [...state.values()].sort((a, b) => (a.address === b.address ? a.port - b.port : a.address < b.address ? -1 : 1))
    })
  }

  reasonsSince(service: ServiceKey, place: Pick<SeenEndpoint, 'address' | 'port' | 'protocol'>): readonly ReasonSince[] {
    const key = placeKey(place)
    // Narrows down what is read; the rest is looked at.
    const about = `"address":${JSON.stringify(place.address)},"port":${String(place.port)},`
    return this.#database.read(open => {
      const now = open.prepare('SELECT body FROM now WHERE service = ? AND place = ?').get(service, key)
      let left = now === undefined ? [] : (JSON.parse(String(now['body'])) as SeenEndpoint).reasons
      const found: ReasonSince[] = []
      const rows = open
        .prepare('SELECT seq, body FROM entries WHERE service = ? AND instr(body, ?) > 0 ORDER BY seq DESC')
        .iterate(service, about)
      for (const row of rows) {
        if (left.length === 0) break
        const { at, before, after } = readEntry(row)
        const isHere = (one: SeenEndpoint): boolean => placeKey(one) === key
        if (!before.some(isHere) && !after.some(isHere)) continue
        const old = before.find(isHere)?.reasons ?? []
        const holds = ({ code, text }: ReasonText): boolean => old.some(one => one.code === code && one.text === text)
        for (const reason of left) if (!holds(reason)) found.push({ ...reason, at })
        left = left.filter(holds)
      }
      return found
    })
  }

  /** `begun`: since when a ledger that begins now knows everything. */
  #facts(open: DatabaseSync, begun: number): { readonly last: number; readonly since: number; readonly batch: number | undefined } {
    open.prepare(`INSERT OR IGNORE INTO facts VALUES ('since', ?)`).run(Math.floor(begun))
    const facts = new Map(
      open
        .prepare('SELECT name, value FROM facts')
        .all()
        .map(row => [row['name'], Number(row['value'])]),
    )
    return { last: facts.get('last') ?? 0, since: facts.get('since') ?? 0, batch: facts.get('batch') }
  }

  /** Gives since when the ledger is whole. */
  #prune(open: DatabaseSync, since: number): number {
    const pragma = (name: string): number => Number(Object.values(open.prepare(`PRAGMA ${name}`).get() ?? {})[0])
    const oldest = Math.round(this.#wall() - this.#bounds.maxAgeMs)
    let reaches = since
    for (let step = 0; step < pruneSteps; step++) {
      const bytes = (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
      const isTooMuch = bytes > this.#bounds.maxBytes
      const first = open.prepare('SELECT seq, at FROM entries ORDER BY seq LIMIT 1').get()
      if (first === undefined || (!isTooMuch && Number(first['at']) >= oldest)) break
      const until = Number(first['seq']) + pruneStep
      const bound = isTooMuch ? Number.MAX_SAFE_INTEGER : oldest
      const gone = open.prepare('SELECT max(at) AS at FROM entries WHERE seq < ? AND at < ?').get(until, bound)
      open.prepare('DELETE FROM entries WHERE seq < ? AND at < ?').run(until, bound)
      reaches = Math.max(reaches, Number(gone?.['at'] ?? 0))
    }
    if (reaches !== since) open.prepare(`INSERT OR REPLACE INTO facts VALUES ('since', ?)`).run(reaches)
    return reaches
  }
}

type ReasonText = SeenEndpoint['reasons'][number]

/** What is known of a service, and the text that it is kept as. */
type Known = Map<string, SeenEndpoint>

/** Enters notes within one transaction. */
class Entering {
  readonly #open: DatabaseSync
  readonly #insert
  readonly #find
  readonly #put
  readonly #drop
  last: number

  constructor(open: DatabaseSync, last: number) {
    this.#open = open
    this.last = last
    this.#insert = open.prepare('INSERT INTO entries VALUES (?, ?, ?, ?)')
    this.#find = open.prepare('SELECT body FROM now WHERE service = ? AND place = ?')
    this.#put = open.prepare('INSERT OR REPLACE INTO now VALUES (?, ?, ?)')
    this.#drop = open.prepare('DELETE FROM now WHERE service = ? AND place = ?')
  }

  enter(note: LedgerNote): void {
    const { gone, after, all, ...event } = note
    if (all !== undefined) this.#settle(event, new Set(all))
    else if (after === undefined || event.service === undefined) this.#entry({ ...event, before: [], after: [] })
    else if (gone === undefined) this.#whole(event, event.service, after)
    else this.#change(event, event.service, this.#knownAt(event.service, gone), after)
  }

  /** A service of which no view was known: what the ledger knows of it is from before, or there is none. */
  #whole(event: Omit<LedgerEvent, 'before' | 'after'>, service: ServiceKey, all: readonly SeenEndpoint[]): void {
    const known = stateNow(this.#open, service)
    if (known.size === 0) {
      if (all.length > 0) this.#change(event, service, [], all)
      return
    }
    const after = all.filter(one => {
      const before = known.get(placeKey(one))
      const isSame = before !== undefined && JSON.stringify(before) === JSON.stringify(one)
      if (isSame) known.delete(placeKey(one))
      return !isSame
    })
    if (after.length === 0 && known.size === 0) return
    this.#change({ ...event, cause: 'restart', actor: undefined, text: 'since the gateway was away' }, service, [...known.values()], after)
  }

  /** All sources were read since the start: services that are no more are noted as gone. */
  #settle(event: Omit<LedgerEvent, 'before' | 'after'>, all: ReadonlySet<ServiceKey>): void {
    for (const row of this.#open.prepare('SELECT DISTINCT service FROM now').all()) {
      const service = row['service'] as ServiceKey
      if (!all.has(service)) this.#change({ ...event, service }, service, [...stateNow(this.#open, service).values()], [])
    }
  }

  #change(
    event: Omit<LedgerEvent, 'before' | 'after'>,
    service: ServiceKey,
    before: readonly SeenEndpoint[],
    after: readonly SeenEndpoint[],
  ): void {
    this.#entry({ ...event, before, after })
    const here = new Set(after.map(placeKey))
    for (const one of before) if (!here.has(placeKey(one))) this.#drop.run(service, placeKey(one))
    for (const one of after) this.#put.run(service, placeKey(one), JSON.stringify(one))
  }

  #entry(event: LedgerEvent): void {
    this.#insert.run(++this.last, Math.round(event.at), event.service ?? null, JSON.stringify(event))
  }

  #knownAt(service: ServiceKey, places: readonly string[]): readonly SeenEndpoint[] {
    return places.flatMap(place => {
      const row = this.#find.get(service, place)
      return row === undefined ? [] : [JSON.parse(String(row['body'])) as SeenEndpoint]
    })
  }
}

function stateNow(open: DatabaseSync, service: ServiceKey): Known {
  const rows = open.prepare('SELECT place, body FROM now WHERE service = ?').all(service)
  return new Map(rows.map(row => [String(row['place']), JSON.parse(String(row['body'])) as SeenEndpoint]))
}

function readEntry(row: Record<string, unknown>): LedgerEntry {
  return { seq: Number(row['seq']), ...(JSON.parse(String(row['body'])) as LedgerEvent) }
}
