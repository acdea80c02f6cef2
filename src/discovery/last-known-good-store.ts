import type { DatabaseSync } from 'node:sqlite'
import type { Endpoint } from '../model/endpoint.ts'
import { healths } from '../model/health.ts'
import { DamagedError, type Database } from '../state/database.ts'

/** For `serveState`: what is kept per source and per group. */
export const lastKnownGoodPart = {
  name: 'last-known-good',
  content: 'last known endpoints',
  loss: 'until the sources were read nothing is known',
  formats: [
    `CREATE TABLE sources (name TEXT PRIMARY KEY, settings TEXT NOT NULL, confirmed_at INTEGER NOT NULL) STRICT;
    CREATE TABLE groups (source TEXT, id TEXT, service TEXT NOT NULL, endpoints TEXT NOT NULL, PRIMARY KEY (source, id)) STRICT, WITHOUT ROWID`,
  ],
  open: (database: Database) => new LastKnownGoodStore(database),
} as const

/** What changed, in this order. */
export interface KeptBatch {
  /** Sources of which nothing is to be kept. */
  readonly forget: readonly string[]
  /** Wall clock ms of the last successful read of a source. */
  readonly confirm: readonly { readonly source: string; readonly settings: string; readonly at: number }[]
  readonly put: readonly (KeptGroup & { readonly source: string })[]
  readonly drop: readonly { readonly source: string; readonly id: string }[]
}

export interface KeptGroup {
  readonly id: string
  readonly service: string
  /** As JSON: text is copied between threads faster than objects. */
  readonly endpoints: string
}

/** A source as it is kept. */
export interface KeptSource {
  readonly settings: string
  readonly confirmedAt: number
  readonly groups: readonly KeptGroup[]
}

/** The database of the endpoints as they were last in force. */
export class LastKnownGoodStore {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  write({ forget, confirm, put, drop }: KeptBatch): void {
    this.#database.write(open => {
      for (const source of forget) this.#forget(open, source)
      const confirmSource = open.prepare('INSERT OR REPLACE INTO sources VALUES (?, ?, ?)')
      for (const { source, settings, at } of confirm) confirmSource.run(source, settings, Math.round(at))
      const putGroup = open.prepare('INSERT OR REPLACE INTO groups VALUES (?, ?, ?, ?)')
      for (const { source, id, service, endpoints } of put) putGroup.run(source, id, service, endpoints)
      const dropGroup = open.prepare('DELETE FROM groups WHERE source = ? AND id = ?')
      for (const { source, id } of drop) dropGroup.run(source, id)
    })
  }

  /** Only these sources there are: what is kept of others goes. */
  keepOnly(sources: readonly string[]): void {
    this.#database.write(open => {
      const kept = open.prepare('SELECT DISTINCT source AS name FROM groups UNION SELECT name FROM sources').all()
      for (const { name } of kept) if (!sources.includes(String(name))) this.#forget(open, String(name))
    })
  }

  /** Groups that are none are damage: nothing of the file is used then. */
  read(source: string): KeptSource | undefined {
    return this.#database.read(open => {
      const row = open.prepare('SELECT settings, confirmed_at FROM sources WHERE name = ?').get(source)
      if (row === undefined) return undefined
      const groups = open.prepare('SELECT id, service, endpoints FROM groups WHERE source = ?').all(source).map(groupOf)
      return { settings: String(row['settings']), confirmedAt: Number(row['confirmed_at']), groups }
    })
  }

  #forget(open: DatabaseSync, source: string): void {
    open.prepare('DELETE FROM sources WHERE name = ?').run(source)
    open.prepare('DELETE FROM groups WHERE source = ?').run(source)
  }
}

function groupOf(row: Record<string, unknown>): KeptGroup {
  const [id, service, text] = [String(row['id']), String(row['service']), String(row['endpoints'])]
  const endpoints = JSON.parse(text) as unknown
  if (!Array.isArray(endpoints) || !endpoints.every(isEndpoint)) throw new DamagedError(`group ${id} holds what are no endpoints`)
  return { id, service, endpoints: text }
}

/** What would harm downstream if it were wrong. */
function isEndpoint(value: unknown): value is Endpoint {
  if (typeof value !== 'object' || value === null) return false
  const { address, port, id, weight, health, tags, meta, locality, reasons } = value as Partial<Record<keyof Endpoint, unknown>>
  return (
    typeof address === 'string' &&
    typeof id === 'string' &&
    isWhole(port, 65_535) &&
    isWhole(weight, 0xffff_ffff) &&
    healths.some(one => one === health) &&
    Array.isArray(tags) &&
    Array.isArray(reasons) &&
    typeof meta === 'object' &&
    typeof locality === 'object' &&
    meta !== null &&
    locality !== null
  )
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most
}
