import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errorText, IsthmusError } from '../../src/model/errors.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'
import type { LeaseState, RegisteredService } from './lease.ts'

/** A lease as it is kept. Times are wall clock, because the monotonic one starts anew with the machine. */
export interface StoredLease {
  readonly agentId: string
  readonly leaseId: string
  readonly epoch: number
  readonly ttlMs: number
  readonly sequence: number
  readonly draining: string | undefined
  readonly state: LeaseState | 'tombstoned'
  /** Wall clock ms of the last sign of life; of a tombstone, of its end. */
  readonly seenAt: number
  readonly services: readonly RegisteredService[]
}

/** What a store had. */
export interface LoadedLeases {
  readonly leases: readonly StoredLease[]
  readonly lastEpoch: number
  /** Set when the database was damaged: where it was moved to, and what was wrong. */
  readonly damage: string | undefined
}

const schemaVersion = 1
const schema = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS leases (
    agent_id TEXT PRIMARY KEY, lease_id TEXT NOT NULL, epoch INTEGER NOT NULL, ttl_ms REAL NOT NULL, sequence INTEGER NOT NULL,
    draining TEXT, state TEXT NOT NULL, seen_at INTEGER NOT NULL, services TEXT NOT NULL
  ) STRICT;
  PRAGMA user_version = ${schemaVersion};
`

/** Result codes of SQLite that mean the file is no sound database. */
const corrupt = 11
const notADatabase = 26

/** Leases in `leases.db` of a folder. All calls are synchronous and throw `source-failed` when the database cannot be used. */
export class LeaseStore {
  readonly #path: string
  readonly #folder: string
  #database: DatabaseSync | undefined

  constructor(folder: string) {
    this.#folder = folder
    this.#path = join(folder, 'leases.db')
  }

  /**
   * Reads everything. A database that is damaged is moved aside, with its companions, and an empty one takes its place.
   * @param wallNow for the name of what is moved
   */
  load(wallNow: number): LoadedLeases {
    return this.#guarded('read', () => {
      try {
        return { ...this.#readAll(), damage: undefined }
      } catch (error) {
        if (!isDamage(error)) throw error
        this.close()
        const aside = `${this.#path}.damaged-${new Date(wallNow).toISOString().replaceAll(':', '-')}`
        for (const end of ['', '-wal', '-shm']) if (existsSync(this.#path + end)) renameSync(this.#path + end, aside + end)
        const damage = `${this.#path} was damaged (${errorText(error)}) and moved to ${aside}; agents register again by themselves`
        return { ...this.#readAll(), damage }
      }
    })
  }

  /** Writes leases, and removes agents, in one transaction. */
  save(leases: Iterable<StoredLease>, removed: Iterable<string>, lastEpoch: number): void {
    this.#guarded('written', () => {
      const database = this.#open()
      database.exec('BEGIN IMMEDIATE')
      try {
        const put = database.prepare('INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
        for (const lease of leases) {
          const { agentId, leaseId, epoch, ttlMs, sequence, draining, state, seenAt, services } = lease
          put.run(agentId, leaseId, epoch, ttlMs, sequence, draining ?? null, state, Math.round(seenAt), JSON.stringify(services))
        }
        const remove = database.prepare('DELETE FROM leases WHERE agent_id = ?')
        for (const agentId of removed) remove.run(agentId)
        database.prepare("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)").run(lastEpoch)
        database.exec('COMMIT')
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK')
        throw error
      }
    })
  }

  close(): void {
    this.#database?.close()
    this.#database = undefined
  }

  #readAll(): Omit<LoadedLeases, 'damage'> {
    // SQLite takes an empty file for a new database; ours never is one.
    if (existsSync(this.#path) && statSync(this.#path).size === 0) throw new DamagedError('the file is empty')
    const database = this.#open()
    const check = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
    if (check !== 'ok') throw new DamagedError(String(check))
    const epoch = database.prepare("SELECT value FROM meta WHERE key = 'epoch'").get()?.['value']
    const rows = database.prepare('SELECT * FROM leases').all()
    return { leases: rows.map(leaseOf), lastEpoch: typeof epoch === 'number' ? epoch : 0 }
  }

  #open(): DatabaseSync {
    if (this.#database !== undefined) return this.#database
    mkdirSync(this.#folder, { recursive: true })
    const database = new DatabaseSync(this.#path)
    try {
      // NORMAL: a crash of the process loses nothing, one of the machine at most the last moments; agents register again.
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 1000')
      const version = database.prepare('PRAGMA user_version').get()?.['user_version']
      if (typeof version === 'number' && version > schemaVersion) {
        throw new IsthmusError(
          'source-failed',
          `${this.#path} was written by a newer Isthmus (format ${version}): use that one, or move the file away`,
        )
      }
      if (version !== schemaVersion) database.exec(schema)
    } catch (error) {
      database.close()
      throw error
    }
    this.#database = database
    return database
  }

  #guarded<Result>(verb: string, work: () => Result): Result {
    try {
      return work()
    } catch (cause) {
      if (cause instanceof IsthmusError) throw cause
      throw new IsthmusError('source-failed', `leases cannot be ${verb} in ${this.#path}: ${errorText(cause)}`, { cause })
    }
  }
}

class DamagedError extends Error {}

function isDamage(error: unknown): boolean {
  if (error instanceof DamagedError || error instanceof SyntaxError) return true
  const code: unknown = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  // The low byte is the primary code.
  return typeof code === 'number' && [corrupt, notADatabase].includes(code & 0xff)
}

function leaseOf(row: Record<string, unknown>): StoredLease {
  const state = row['state']
  const known = state === 'up' || state === 'suspect' || state === 'expired' || state === 'tombstoned'
  if (!known) throw new DamagedError(`agent ${String(row['agent_id'])} has the state ${String(state)}`)
  const services = JSON.parse(String(row['services'])) as (Omit<RegisteredService, 'key'> & { key: ServiceKey })[]
  return {
    agentId: String(row['agent_id']),
    leaseId: String(row['lease_id']),
    epoch: Number(row['epoch']),
    ttlMs: Number(row['ttl_ms']),
    sequence: Number(row['sequence']),
    draining: typeof row['draining'] === 'string' ? row['draining'] : undefined,
    state,
    seenAt: Number(row['seen_at']),
    services,
  }
}
