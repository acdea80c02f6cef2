import type { DatabaseSync } from 'node:sqlite'
import type { Endpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import { errorText } from '../model/errors.ts'
import { healths } from '../model/health.ts'
import { held } from '../model/held.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { DamagedError, type Database } from '../state/database.ts'
import type { WriteBehind } from '../state/write-behind.ts'

/** For `Database`: what is kept per source and per group. */
export const lastKnownGoodPart = {
  name: 'last-known-good',
  content: 'last known endpoints',
  loss: 'until the sources were read nothing is known',
  formats: [
    `CREATE TABLE sources (name TEXT PRIMARY KEY, settings TEXT NOT NULL, confirmed_at INTEGER NOT NULL) STRICT;
    CREATE TABLE groups (source TEXT, id TEXT, service TEXT NOT NULL, endpoints TEXT NOT NULL, PRIMARY KEY (source, id)) STRICT, WITHOUT ROWID`,
  ],
} as const

export interface LastKnownGoodGiven {
  readonly database: Database
  readonly writer: (write: (enough: () => boolean) => boolean) => WriteBehind
  /** A group as it is in force now. */
  readonly group: (source: string, id: string) => EndpointGroup | undefined
  /** Wall clock ms of the last successful read of a source that was read completely; else undefined. */
  readonly confirmedAt: (source: string) => number | undefined
}

/** A source as it is known again: which settings it had counts, because another registry under its name is another source. */
export interface RecallOf {
  readonly name: string
  /** Equal for equal settings. */
  readonly settings: string
  readonly maxAgeMs: number
  readonly admitAddress: (address: string) => string
}

/** What was kept of a source, or why it is not used. */
export type Recall =
  | { readonly groups: readonly EndpointGroup[]; readonly confirmedAt: number; readonly refused: readonly string[] }
  | { readonly reason: string }

/**
 * The endpoints of every source as they were last in force (reference/discovery.md 5.8), kept off the hot path: `note` only marks. What is
 * recalled after a restart is suspect until its source confirms it.
 */
export class LastKnownGood {
  readonly #given: LastKnownGoodGiven
  readonly #dirty = new Map<string, Set<string>>()
  readonly #settings = new Map<string, string>()
  readonly #forgotten = new Set<string>()
  readonly #writer: WriteBehind

  constructor(given: LastKnownGoodGiven) {
    this.#given = given
    this.#writer = given.writer(enough => this.#write(enough))
  }

  /** These groups of a source changed. */
  note(source: string, groups: readonly EndpointGroup[]): void {
    if (groups.length === 0) return
    let dirty = this.#dirty.get(source)
    if (dirty === undefined) this.#dirty.set(source, (dirty = new Set()))
    for (const { id } of groups) dirty.add(id)
    this.#writer.due()
  }

  /** Sources were read again without a change: notes how fresh what is kept is. */
  refresh(): void {
    this.#writer.due()
  }

  /** Only these sources there are: what is kept of others goes. Throws `state-unusable`. */
  keepOnly(sources: ReadonlySet<string>): void {
    const kept = this.#given.database.read(database =>
      database.prepare('SELECT DISTINCT source AS name FROM groups UNION SELECT name FROM sources').all(),
    )
    for (const { name } of kept) if (!sources.has(String(name))) this.forget(String(name))
  }

  /** The source is no more. */
  forget(source: string): void {
    this.#settings.delete(source)
    this.#dirty.delete(source)
    this.#forgotten.add(source)
    this.#writer.due()
  }

  /** What is kept of a source; undefined when there is nothing. Throws `state-unusable`. */
  recall({ name, settings, maxAgeMs, admitAddress }: RecallOf, wallNow: number): Recall | undefined {
    this.#settings.set(name, settings)
    this.#forgotten.delete(name)
    const kept = this.#given.database.read(database => read(database, name))
    if (kept === undefined) return undefined
    const age = wallNow - kept.confirmedAt
    const when = new Date(kept.confirmedAt).toISOString()
    if (kept.settings !== settings) return { reason: `what was known at ${when} is not used: the settings of ${name} are others now` }
    if (age > maxAgeMs) return { reason: `what was known at ${when} is not used: that is longer ago than guards.maxStaleSeconds` }
    const refused: string[] = []
    const text = `${name} named it at ${when}, before the gateway started, and was not read since`
    const admit = (endpoint: Endpoint): Endpoint[] => {
      try {
        return admitAddress(endpoint.address) === endpoint.address ? [held(endpoint, 'restart', text)] : []
      } catch (error) {
        refused.push(errorText(error))
        return []
      }
    }
    const groups = kept.groups.map(group => ({ ...group, endpoints: group.endpoints.flatMap(admit) }))
    // A clock that was set back must not make it younger than it is.
    return { groups, confirmedAt: Math.min(kept.confirmedAt, wallNow), refused }
  }

  #write(enough: () => boolean): boolean {
    const written: [source: string, ids: string[]][] = []
    let isMore = false
    this.#given.database.write(database => {
      const confirm = database.prepare('INSERT OR REPLACE INTO sources VALUES (?, ?, ?)')
      const put = database.prepare('INSERT OR REPLACE INTO groups VALUES (?, ?, ?, ?)')
      const drop = database.prepare('DELETE FROM groups WHERE source = ? AND id = ?')
      written.length = 0
      for (const source of this.#forgotten) {
        database.prepare('DELETE FROM sources WHERE name = ?').run(source)
        database.prepare('DELETE FROM groups WHERE source = ?').run(source)
      }
      for (const [source, settings] of this.#settings) {
        const confirmedAt = this.#given.confirmedAt(source)
        if (confirmedAt !== undefined) confirm.run(source, settings, Math.round(confirmedAt))
      }
      for (const [source, dirty] of this.#dirty) {
        const ids: string[] = []
        written.push([source, ids])
        for (const id of dirty) {
          if ((isMore = enough())) return
          const group = this.#given.group(source, id)
          if (group === undefined) drop.run(source, id)
          else put.run(source, id, group.service, JSON.stringify(group.endpoints))
          ids.push(id)
        }
      }
    })
    this.#forgotten.clear()
    for (const [source, ids] of written) {
      const dirty = this.#dirty.get(source)
      for (const id of ids) dirty?.delete(id)
      if (dirty?.size === 0) this.#dirty.delete(source)
    }
    return isMore
  }
}

interface Kept {
  readonly settings: string
  readonly confirmedAt: number
  readonly groups: readonly EndpointGroup[]
}

function read(database: DatabaseSync, source: string): Kept | undefined {
  const row = database.prepare('SELECT settings, confirmed_at FROM sources WHERE name = ?').get(source)
  if (row === undefined) return undefined
  const groups = database.prepare('SELECT id, service, endpoints FROM groups WHERE source = ?').all(source)
  return { settings: String(row['settings']), confirmedAt: Number(row['confirmed_at']), groups: groups.map(groupOf) }
}

function groupOf(row: Record<string, unknown>): EndpointGroup {
  const endpoints = JSON.parse(String(row['endpoints'])) as unknown
  if (!Array.isArray(endpoints) || !endpoints.every(isEndpoint)) {
    throw new DamagedError(`group ${String(row['id'])} holds what are no endpoints`)
  }
  return { id: String(row['id']), service: String(row['service']) as ServiceKey, endpoints }
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
