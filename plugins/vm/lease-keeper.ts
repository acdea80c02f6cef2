import type { Clock, SourceGiven } from '../../src/discovery/contract.ts'
import { errorText } from '../../src/model/errors.ts'
import { type LeaseRecord, type LeaseState, type RegisteredService, renewedAtRestore, type Tombstone } from './lease.ts'
import { LeaseRegistry } from './lease-registry.ts'
import type { LeaseStore, StoredLease } from './lease-store.ts'

/** What was stored, as a registry. */
export interface LoadedRegistry {
  readonly registry: LeaseRegistry
  /** Set when the database was damaged and moved aside. */
  readonly damage: string | undefined
  /** There was a sound database, so that every agent's lease is here. */
  readonly complete: boolean
  /** Services that may no longer be served, with the reason. */
  readonly refused: readonly string[]
}

/** Leases of a registry in a store: read once, written in batches of those that changed. Without a store nothing is kept. */
export class LeaseKeeper {
  readonly #store: LeaseStore | undefined
  readonly #clock: Clock
  readonly #tombstoneMs: number
  readonly #dirty = new Set<string>()

  constructor(store: LeaseStore | undefined, clock: Clock, tombstoneMs: number) {
    this.#store = store
    this.#clock = clock
    this.#tombstoneMs = tombstoneMs
  }

  /**
   * Reads what is stored. Every lease that was not expired counts as renewed now, so that no agent pays for our own absence
   * (reference/discovery.md 4.3). Services whose address is not admitted any more are left out. Throws `state-unusable`.
   */
  load({ admitAddress }: Pick<SourceGiven, 'admitAddress'>): LoadedRegistry {
    const wallNow = this.#clock.wall()
    const stored = this.#store?.load()
    // Seconds since 1970 as the floor: epochs go on growing even if the database was lost.
    const registry = new LeaseRegistry(this.#tombstoneMs, Math.max(Math.floor(wallNow / 1000), (stored?.lastEpoch ?? 0) + 1))
    const leases: LeaseRecord[] = []
    const tombstones: Tombstone[] = []
    const refused: string[] = []
    const admit = (service: RegisteredService): boolean => {
      try {
        return admitAddress(service.address) === service.address
      } catch (error) {
        refused.push(`${service.key}: ${errorText(error)}`)
        return false
      }
    }
    for (const lease of stored?.leases ?? []) {
      const since = this.#clock.now() - Math.max(0, wallNow - lease.seenAt)
      if (lease.state === 'tombstoned') tombstones.push({ agentId: lease.agentId, epoch: lease.epoch, since })
      else leases.push(this.#restored({ ...lease, state: lease.state === 'expired' ? 'expired' : 'up' }, lease.services.filter(admit)))
    }
    registry.restore(leases, tombstones)
    return { registry, damage: stored?.damage, complete: stored?.found === true, refused }
  }

  /** Notes agents whose state is to be written by the next `flush`. */
  note(agentIds: readonly string[]): void {
    if (this.#store !== undefined) for (const agentId of agentIds) this.#dirty.add(agentId)
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0
  }

  /** Writes what was noted. Throws `state-unusable` and keeps the notes when that fails. */
  flush(registry: LeaseRegistry): void {
    if (this.#store === undefined || this.#dirty.size === 0) return
    const saved: StoredLease[] = []
    const removed: string[] = []
    for (const agentId of this.#dirty) {
      const stored = this.#stored(registry, agentId)
      if (stored === undefined) removed.push(agentId)
      else saved.push(stored)
    }
    this.#store.save(saved, removed, registry.lastEpoch)
    this.#dirty.clear()
  }

  /** Closes the database; the next flush opens it again. */
  close(): void {
    this.#store?.close()
  }

  #restored(lease: StoredLease & { readonly state: LeaseState }, services: readonly RegisteredService[]): LeaseRecord {
    const { agentId, leaseId, epoch, ttlMs, sequence, draining, state, seenAt } = lease
    const renewedAt = renewedAtRestore(lease, this.#clock.wall() - seenAt, this.#clock.now())
    return { agentId, leaseId, epoch, ttlMs, sequence, draining, state, renewedAt, services: new Map(services.map(one => [one.key, one])) }
  }

  #stored(registry: LeaseRegistry, agentId: string): StoredLease | undefined {
    const atWall = (monotonic: number): number => this.#clock.wall() - (this.#clock.now() - monotonic)
    const lease = registry.lease(agentId)
    if (lease !== undefined) return { ...lease, seenAt: atWall(lease.renewedAt), services: [...lease.services.values()] }
    const buried = registry.tombstone(agentId)
    if (buried === undefined) return undefined
    const { epoch, since } = buried
    return {
      agentId,
      leaseId: '',
      epoch,
      ttlMs: 0,
      sequence: 0,
      draining: undefined,
      state: 'tombstoned',
      seenAt: atWall(since),
      services: [],
    }
  }
}
