import type { ServiceKey } from '../model/service-key.ts'
import { causeOf, changesBetween, placeKey, seen } from '../table/ledger.ts'
import { ruleChange } from '../table/rule-change.ts'
import type { PoolView, TableChange } from '../table/reader.ts'
import type { LedgerNote } from './ledger-store.ts'

/** What waits to be written: a note as it is, or two views whose difference is still to be found. */
export type Pending = { readonly note: LedgerNote } | PendingChange

/** From here on changes of one service are told in one. */
const plenty = 5000
/** More than this of users' doings never wait; the oldest are given up, and it is told. */
const maxEvents = 10_000

/** A service's views before and after; further changes may be put on top. */
export class PendingChange {
  readonly service: ServiceKey
  readonly #before: PoolView | undefined
  readonly change: { after: PoolView; at: number; revision: number; count: number }
  readonly #actorOf: (override: string) => string | undefined

  constructor(before: PoolView | undefined, change: PendingChange['change'], actorOf: (override: string) => string | undefined) {
    this.service = change.after.service
    this.#before = before
    this.change = change
    this.#actorOf = actorOf
  }

  get hasBefore(): boolean {
    return this.#before !== undefined
  }

  /** Undefined when neither an endpoint nor the rule differs. */
  find(): LedgerNote | undefined {
    const changes = changesBetween(this.#before, this.change.after)
    const text = this.hasBefore ? ruleChange(this.#before?.rule, this.change.after.rule) : ''
    if (changes.length === 0 && this.hasBefore && text === '') return undefined
    const { at, revision, count } = this.change
    const { cause, sources, overrides, actor } = causeOf(this.#before, this.change.after, changes)
    return {
      ...{ at, revision, service: this.service, cause, sources, text },
      ...(count === 1 ? {} : { merged: count }),
      actor: actor ?? overrides.map(this.#actorOf).find(one => one !== undefined),
      // Without a view before, what the ledger knows is what it was.
      ...(this.hasBefore ? { gone: changes.flatMap(({ before }) => (before === undefined ? [] : [placeKey(before)])) } : {}),
      after: changes.flatMap(({ after }) => (after === undefined ? [] : [seen(after)])),
    }
  }
}

/**
 * What happened and is not written yet, in order. Bounded: when there is plenty, changes of a service join the one that already waits, so
 * that what is lost is only the steps between, which the entry counts; users' doings beyond their bound are counted and told.
 */
export class PendingChanges {
  #queue: Pending[] = []
  #head = 0
  #events = 0
  #lost = 0
  readonly #lastOf = new Map<ServiceKey, PendingChange>()
  /** Who took an override back, until the endpoints followed. */
  readonly #endedBy = new Map<string, string>()

  get size(): number {
    return this.#queue.length - this.#head
  }

  note(change: TableChange, at: number): void {
    for (const { before, after } of change.pools) {
      const waiting = this.size >= plenty ? this.#lastOf.get(after.service) : undefined
      if (waiting !== undefined) {
        Object.assign(waiting.change, { after, at, revision: change.revision, count: waiting.change.count + 1 })
        continue
      }
      const pending = new PendingChange(before, { after, at, revision: change.revision, count: 1 }, id => this.#endedBy.get(id))
      this.#lastOf.set(after.service, pending)
      this.#queue.push(pending)
    }
  }

  /** @param override the one that ended by it */
  record(note: LedgerNote, override?: string): void {
    if (this.#events >= maxEvents) {
      this.#lost++
      return
    }
    if (override !== undefined && note.actor !== undefined) {
      if (this.#endedBy.size > maxEvents) this.#endedBy.clear()
      this.#endedBy.set(override, note.actor)
    }
    this.#events++
    this.#queue.push({ note })
  }

  /** The oldest; undefined: nothing waits. */
  take(): Pending | undefined {
    const next = this.#queue[this.#head]
    if (next === undefined) {
      this.#queue = []
      this.#head = 0
      return undefined
    }
    this.#head++
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    if (next instanceof PendingChange) {
      if (this.#lastOf.get(next.service) === next) this.#lastOf.delete(next.service)
      return next
    }
    this.#events--
    if (this.#lost > 0) {
      const text = `${String(this.#lost)} entries were given up because they could not be written`
      this.#lost = 0
      const { at, revision } = next.note
      this.record({ at, revision, service: undefined, cause: 'lost', sources: [], actor: undefined, text })
    }
    return next
  }
}
