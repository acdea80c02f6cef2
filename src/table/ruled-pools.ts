import { isDeepStrictEqual } from 'node:util'
import type { PoolRule } from '../model/pool-rule.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { derivePool } from './derive-pool.ts'
import type { Selections } from './members.ts'
import type { PoolView } from './pool-view.ts'
import type { Trust } from './trust.ts'

/** A pool made by a rule: its last merge, and what is seen of it. */
export interface RuledPool {
  readonly rule: PoolRule
  readonly selections: Selections
  merged: PoolView | undefined
  view: PoolView | undefined
}

/** The pools that ServicePools make, and which services each of them is made of. */
export class RuledPools {
  readonly #pools = new Map<ServiceKey, RuledPool>()
  readonly #uses = new Map<ServiceKey, Set<RuledPool>>()
  readonly #dirty = new Set<RuledPool>()

  get(service: ServiceKey): RuledPool | undefined {
    return this.#pools.get(service)
  }

  all(): Iterable<RuledPool> {
    return this.#pools.values()
  }

  get dirty(): boolean {
    return this.#dirty.size > 0
  }

  /**
   * Puts other rules in the place of all. Gives the pools that are no more; a rule that says what it said before changes nothing.
   * @param seen what is seen under a key that had no rule
   */
  replace(rules: readonly PoolRule[], seen: (service: ServiceKey) => PoolView | undefined): readonly RuledPool[] {
    const gone = new Map(this.#pools)
    for (const rule of rules) {
      gone.delete(rule.service)
      const old = this.#pools.get(rule.service)
      if (old !== undefined && isDeepStrictEqual(old.rule, rule)) continue
      if (old !== undefined) this.#forget(old)
      // What was seen before stays seen until the new rule is applied; the old merge is none of the new rule's.
      const pool: RuledPool = {
        rule,
        selections: new WeakMap(),
        merged: undefined,
        view: old === undefined ? seen(rule.service) : old.view,
      }
      this.#enter(rule.service, pool)
      this.#dirty.add(pool)
    }
    for (const pool of gone.values()) {
      this.#forget(pool)
      this.#pools.delete(pool.rule.service)
    }
    return [...gone.values()]
  }

  /** A copy that goes its own way; nothing of it is marked. */
  fork(): RuledPools {
    const copy = new RuledPools()
    for (const [service, pool] of this.#pools) copy.#enter(service, { ...pool })
    return copy
  }

  /** Marks the pools that a service is part of. */
  touch(base: ServiceKey): void {
    for (const pool of this.#uses.get(base) ?? []) this.#dirty.add(pool)
  }

  mark(pool: RuledPool): void {
    this.#dirty.add(pool)
  }

  /** Takes the marks away and gives the marked pools, each with its merge brought up to date. */
  derive(base: (service: ServiceKey) => PoolView | undefined, trust: Trust): readonly (RuledPool & { merged: PoolView })[] {
    const derived: (RuledPool & { merged: PoolView })[] = []
    for (const pool of this.#dirty) {
      const bases = new Map<ServiceKey, PoolView>()
      for (const service of basesOf(pool.rule)) {
        const view = base(service)
        if (view !== undefined) bases.set(service, view)
      }
      derived.push(Object.assign(pool, { merged: derivePool(pool.rule, pool.merged, bases, pool.selections, trust) }))
    }
    this.#dirty.clear()
    return derived
  }

  #enter(service: ServiceKey, pool: RuledPool): void {
    this.#pools.set(service, pool)
    for (const base of basesOf(pool.rule)) {
      const users = this.#uses.get(base)
      if (users === undefined) this.#uses.set(base, new Set([pool]))
      else users.add(pool)
    }
  }

  #forget(pool: RuledPool): void {
    this.#dirty.delete(pool)
    for (const base of basesOf(pool.rule)) {
      const users = this.#uses.get(base)
      users?.delete(pool)
      if (users?.size === 0) this.#uses.delete(base)
    }
  }
}

/** The services whose groups a rule selects from. */
export function basesOf(rule: PoolRule): readonly ServiceKey[] {
  return [...new Set(rule.members.flatMap(member => member.services))]
}
