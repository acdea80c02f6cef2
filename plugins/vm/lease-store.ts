import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { ServiceKey } from '../../src/model/service-key.ts'
import { DamagedError, Database } from '../../src/state/database.ts'
import { sharedLocality } from './locality.ts'
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
  /** A store was there and was sound, be it without leases. */
  readonly found: boolean
  /** Set when the database was damaged: where it was moved to, and what was wrong. */
  readonly damage: string | undefined
}

const formats = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE leases (
    agent_id TEXT PRIMARY KEY, lease_id TEXT NOT NULL, epoch INTEGER NOT NULL, ttl_ms REAL NOT NULL, sequence INTEGER NOT NULL,
    draining TEXT, state TEXT NOT NULL, seen_at INTEGER NOT NULL, services TEXT NOT NULL
  ) STRICT`,
]

/** Leases in `leases.db` of a folder. All calls are synchronous and throw `state-unusable` when the database cannot be used. */
export class LeaseStore {
  readonly #path: string
  readonly #database: Database
  #damage: string | undefined

  /** `wall`: wall clock, ms. */
  constructor(folder: string, wall: () => number) {
    this.#path = join(folder, 'leases.db')
    this.#database = new Database({
      path: this.#path,
      content: 'leases',
      loss: 'agents register again by themselves',
      formats,
      wall,
      onDamage: text => (this.#damage = text),
    })
  }

  /** Reads everything. */
  load(): LoadedLeases {
    const existed = existsSync(this.#path)
    const stored = this.#database.read(readAll)
    const damage = this.#damage
    this.#damage = undefined
    return { ...stored, found: existed && damage === undefined, damage }
  }

  /** Writes leases, and removes agents, in one transaction. */
  save(leases: Iterable<StoredLease>, removed: Iterable<string>, lastEpoch: number): void {
    this.#database.write(database => {
      const put = database.prepare('INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
      for (const lease of leases) {
        const { agentId, leaseId, epoch, ttlMs, sequence, draining, state, seenAt, services } = lease
        put.run(agentId, leaseId, epoch, ttlMs, sequence, draining ?? null, state, Math.round(seenAt), JSON.stringify(services))
      }
      const remove = database.prepare('DELETE FROM leases WHERE agent_id = ?')
      for (const agentId of removed) remove.run(agentId)
      database.prepare("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)").run(lastEpoch)
    })
  }

  /** The next use opens it again. */
  close(): void {
    this.#database.close()
  }
}

function readAll(database: DatabaseSync): Pick<LoadedLeases, 'leases' | 'lastEpoch'> {
  const epoch = database.prepare("SELECT value FROM meta WHERE key = 'epoch'").get()?.['value']
  const rows = database.prepare('SELECT * FROM leases').all()
  return { leases: rows.map(leaseOf), lastEpoch: typeof epoch === 'number' ? epoch : 0 }
}

function leaseOf(row: Record<string, unknown>): StoredLease {
  const state = row['state']
  const known = state === 'up' || state === 'suspect' || state === 'expired' || state === 'tombstoned'
  if (!known) throw new DamagedError(`agent ${String(row['agent_id'])} has the state ${String(state)}`)
  const stored = JSON.parse(String(row['services'])) as (Omit<RegisteredService, 'key'> & { key: ServiceKey })[]
  const services = stored.map(({ locality: at, ...service }) => {
    const locality = sharedLocality(at?.region, at?.zone)
    return locality === undefined ? service : { ...service, locality }
  })
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
