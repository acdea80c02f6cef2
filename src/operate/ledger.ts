import type { Clock } from '../discovery/contract.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { Remote } from '../state/thread.ts'
import type { WriteBehind } from '../state/write-behind.ts'
import type { LedgerEntry, LedgerEvent, LedgerExtent, LedgerQuery, LedgerReader, ReasonSince, SeenEndpoint } from '../table/ledger.ts'
import type { TableChange } from '../table/reader.ts'
import type { LedgerBatch, LedgerStore } from './ledger-store.ts'
import type { OverrideEvent } from './overrides.ts'
import { PendingChange, PendingChanges } from './pending-changes.ts'

export interface LedgerGiven {
  readonly clock: Clock
  readonly store: Remote<LedgerStore>
  readonly writer: (write: (enough: () => boolean) => Promise<boolean>) => WriteBehind
  /** Uniform in [0, 1): for numbers that do not come again. */
  readonly random: () => number
}

/**
 * Every change of every service's endpoints and what users did, within bounds of age and size (reference/discovery.md 7.3). On the path of a
 * change it only notes the two views; a little later their difference is found here, in slices, and entered by another thread.
 */
export class Ledger implements LedgerReader {
  readonly #given: LedgerGiven
  readonly #pending = new PendingChanges()
  readonly #writer: WriteBehind
  readonly #listeners = new Set<() => void>()
  #last = 0
  /** What was sent, and perhaps entered, but not confirmed. */
  #unconfirmed: LedgerBatch | undefined

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
    this.#pending.record({ ...event, at: this.#given.clock.wall() }, override)
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
  settle(services: readonly ServiceKey[], revision: number): void {
    const text = 'known before the gateway started, and to no source since'
    const at = this.#given.clock.wall()
    this.#pending.record({ at, revision, service: undefined, cause: 'restart', sources: [], actor: undefined, text, all: services })
    this.#writer.due()
  }

  async extent(): Promise<LedgerExtent> {
    await this.#writer.flush()
    return this.#given.store('extent')
  }

  async entries(query: LedgerQuery): Promise<readonly LedgerEntry[]> {
    await this.#writer.flush()
    return this.#given.store('entries', query)
  }

  async at(service: ServiceKey, time: number): Promise<readonly SeenEndpoint[] | undefined> {
    await this.#writer.flush()
    return this.#given.store('at', service, time)
  }

  async reasonsSince(service: ServiceKey, place: Parameters<LedgerReader['reasonsSince']>[1]): Promise<readonly ReasonSince[]> {
    await this.#writer.flush()
    const { address, port, protocol } = place
    return this.#given.store('reasonsSince', service, { address, port, protocol })
  }

  onEntries(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #write(enough: () => boolean): Promise<boolean> {
    const batch = (this.#unconfirmed ??= this.#collect(enough))
    if (batch === undefined) return this.#pending.size > 0
    const { last } = await this.#given.store('write', batch)
    this.#unconfirmed = undefined
    if (last !== this.#last) {
      this.#last = last
      for (const listener of this.#listeners) listener()
    }
    return this.#pending.size > 0
  }

  #collect(enough: () => boolean): LedgerBatch | undefined {
    const notes: string[] = []
    for (let taken = 0; taken === 0 || !enough(); taken++) {
      const one = this.#pending.take()
      if (one === undefined) break
      const note = one instanceof PendingChange ? one.find() : one.note
      if (note !== undefined) notes.push(JSON.stringify(note))
    }
    return notes.length === 0 ? undefined : { id: Math.floor(this.#given.random() * Number.MAX_SAFE_INTEGER), notes }
  }
}
