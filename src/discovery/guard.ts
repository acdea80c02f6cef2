import type { Endpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import { held } from '../model/held.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { RemovalCause } from './contract.ts'
import type { GuardBounds } from './guard-bounds.ts'
import { type Losses, lossesOf, placeKey } from './losses.ts'

/** What the guard reads of the table: held endpoints are in it. */
export interface GuardedTable {
  group(source: string, id: string): EndpointGroup | undefined
  /** Endpoints that a source has under a service. */
  countIn(source: string, service: ServiceKey): number
  countOf(source: string): { readonly endpoints: number }
}

export interface GuardGiven {
  readonly source: string
  readonly table: GuardedTable
  readonly boundsOf: (service: ServiceKey | undefined) => GuardBounds
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** Endpoints of one service that are kept although their source no longer names them. */
export interface GuardHold {
  readonly service: ServiceKey
  readonly rule: 'empty' | 'shrink'
  readonly endpoints: number
  readonly heldSeconds: number
  /** Until a further read is asked whether it is true. */
  readonly confirmInSeconds: number
  /** Until it is believed unasked. */
  readonly releaseInSeconds: number
}

interface Hold {
  readonly rule: 'empty' | 'shrink'
  readonly since: number
  /** Endpoints that there were. */
  readonly base: number
  askedAt: number
  readonly groups: Map<string, HeldGroup>
}

interface HeldGroup {
  /** What the source says itself; without endpoints when it names the group no more. */
  said: EndpointGroup
  /** By place. */
  readonly kept: Map<string, Endpoint>
}

/** Losses that follow each other are seen together. */
interface Window {
  readonly since: number
  base: number
  lost: number
}

/** By service: the groups that must be looked at, and what other groups of the same emission gain. */
type Suspicious = Map<ServiceKey, { readonly changes: Change[]; gained: number }>

interface Change extends Losses {
  readonly group: EndpointGroup
  readonly kept: ReadonlyMap<string, Endpoint>
}

const windowMs = 60_000
/** More are looked through for those that are over. */
const windowsMost = 256
/** Smaller services shrink as they like, and so do smaller sources as a whole. */
const leastOfService = 4
const leastOfSource = 10
/** Of the endpoints that there were, at most so much goes with one confirming read (reference/discovery.md 5.4). */
const evictedPerRead = 0.15

/**
 * Stands between one source and the table (reference/discovery.md 5.3, 5.4). Endpoints that vanish without a witness, all of a service or
 * many at once, are kept as suspect until a later read confirms it, an operator says so, or time is over. Additions, changes and explicit
 * removals pass at once. A machine without a clock: every call says when it is; times are monotonic ms. What a call gives is to be put
 * into the table at once.
 */
export class SourceGuard {
  readonly #given: GuardGiven
  readonly #holds = new Map<ServiceKey, Hold>()
  readonly #windows = new Map<ServiceKey, Window>()
  #sourceWindow: Window | undefined
  /** Endpoints of the source in the table. */
  #total: number

  constructor(given: GuardGiven) {
    this.#given = given
    this.#total = given.table.countOf(given.source).endpoints
  }

  /** Takes what a source says. Gives the same list when there is nothing to hold: the cost is then that of looking the groups up. */
  pass(groups: readonly EndpointGroup[], cause: RemovalCause, now: number): readonly EndpointGroup[] {
    let suspicious: Suspicious | undefined
    for (const group of groups) {
      const before = this.#given.table.group(this.#given.source, group.id)
      const isElsewhere = before !== undefined && before.service !== group.service
      if (isElsewhere) this.#forget(before)
      const delta = group.endpoints.length - (before?.endpoints.length ?? 0)
      if ((delta >= 0 || cause === 'explicit' || isElsewhere) && !this.#holds.has(group.service)) continue
      suspicious ??= new Map()
      const ofService = suspicious.get(group.service) ?? { changes: [], gained: 0 }
      suspicious.set(group.service, ofService)
      ofService.changes.push(this.#change(group, before, cause))
    }
    if (suspicious === undefined) return this.#counted(groups, cause)
    return this.#counted(this.#judge(groups, suspicious, cause, now), cause)
  }

  /** A full read that began at `begunAt` has completed, and what is held was not in it. */
  confirmed(begunAt: number): readonly EndpointGroup[] {
    const released: EndpointGroup[] = []
    for (const [service, hold] of this.#holds) {
      if (begunAt < hold.since + this.#bounds(service).emptyHoldSeconds * 1000) continue
      released.push(...this.#evict(service, hold, hold.rule === 'empty' ? Infinity : Math.max(1, Math.floor(hold.base * evictedPerRead))))
    }
    return this.#counted(released, 'explicit')
  }

  /** Releases what was held long enough. `reread`: the source is to be read anew, to confirm the rest. */
  due(now: number): { readonly released: readonly EndpointGroup[]; readonly reread: boolean } {
    const released: EndpointGroup[] = []
    let reread = false
    for (const [service, hold] of this.#holds) {
      const { emptyHoldSeconds, shrinkHoldSeconds } = this.#bounds(service)
      if (now >= hold.since + shrinkHoldSeconds * 1000) released.push(...this.#evict(service, hold, Infinity))
      else if (now >= hold.askedAt + emptyHoldSeconds * 1000) {
        hold.askedAt = now
        reread = true
      }
    }
    return { released: this.#counted(released, 'explicit'), reread }
  }

  /** When `due` has something to do; Infinity while nothing is held. */
  get nextAt(): number {
    let next = Infinity
    for (const [service, { since, askedAt }] of this.#holds) {
      const { emptyHoldSeconds, shrinkHoldSeconds } = this.#bounds(service)
      next = Math.min(next, since + shrinkHoldSeconds * 1000, askedAt + emptyHoldSeconds * 1000)
    }
    return next
  }

  /** The operator believes the source. */
  release(): readonly EndpointGroup[] {
    this.#windows.clear()
    this.#sourceWindow = undefined
    return this.#counted(
      [...this.#holds].flatMap(([service, hold]) => this.#evict(service, hold, Infinity)),
      'explicit',
    )
  }

  /** The source does not name this group any more, and what it had is kept. */
  isGone({ id, service }: Pick<EndpointGroup, 'id' | 'service'>): boolean {
    return this.#holds.get(service)?.groups.get(id)?.said.endpoints.length === 0
  }

  /** How many endpoints are held. */
  get held(): number {
    let sum = 0
    for (const hold of this.#holds.values()) sum += keptIn(hold)
    return sum
  }

  holds(now: number): readonly GuardHold[] {
    return [...this.#holds].map(([service, hold]) => {
      const { emptyHoldSeconds, shrinkHoldSeconds } = this.#bounds(service)
      return {
        service,
        rule: hold.rule,
        endpoints: keptIn(hold),
        heldSeconds: (now - hold.since) / 1000,
        confirmInSeconds: Math.max(0, emptyHoldSeconds - (now - hold.askedAt) / 1000),
        releaseInSeconds: Math.max(0, shrinkHoldSeconds - (now - hold.since) / 1000),
      }
    })
  }

  #change(group: EndpointGroup, before: EndpointGroup | undefined, cause: RemovalCause): Change {
    const heldGroup = this.#holds.get(group.service)?.groups.get(group.id)
    const said = heldGroup?.said ?? before
    const losses = lossesOf(said?.service === group.service ? said.endpoints : [], group.endpoints)
    // A group that is explicitly gone takes along what was kept of it.
    const kept = cause === 'explicit' && group.endpoints.length === 0 ? undefined : heldGroup?.kept
    return { group, ...losses, unexplained: cause === 'explicit' ? [] : losses.unexplained, kept: kept ?? new Map() }
  }

  #judge(groups: readonly EndpointGroup[], suspicious: Suspicious, cause: RemovalCause, now: number): readonly EndpointGroup[] {
    const { source, table } = this.#given
    if (this.#windows.size > windowsMost)
      for (const [service, { since }] of this.#windows) if (now - since >= windowMs) this.#windows.delete(service)
    const judged = new Map([...suspicious.values()].flatMap(({ changes }) => changes.map(change => [change.group.id, change] as const)))
    for (const group of groups) {
      // What goes here and comes there at once, as when slices are cut anew, is no loss.
      const ofService = suspicious.get(group.service)
      if (ofService === undefined || judged.has(group.id)) continue
      ofService.gained += group.endpoints.length - (table.group(source, group.id)?.endpoints.length ?? 0)
    }
    const verdicts = new Map<ServiceKey, { rule: Hold['rule'] | undefined; base: number }>()
    let netLoss = 0
    for (const [service, { changes, gained }] of suspicious) {
      const hold = this.#holds.get(service)
      const before = table.countIn(source, service)
      const net = Math.max(0, sum(changes, one => one.unexplained.length - one.gained) - gained)
      const said = before - (hold === undefined ? 0 : keptIn(hold)) - sum(changes, one => one.gone - one.gained) + gained
      const window = this.#window(this.#windows.get(service), before, now)
      window.lost = cause === 'explicit' ? window.lost : Math.max(0, window.lost + net)
      this.#windows.set(service, window)
      netLoss += net
      verdicts.set(service, { rule: hold?.rule ?? this.#ruleFor(service, window, net, said), base: window.base })
    }
    if (this.#isLandslide(netLoss, now)) for (const verdict of verdicts.values()) verdict.rule ??= 'shrink'
    return groups.map(group => {
      const change = judged.get(group.id)
      const verdict = verdicts.get(group.service)
      return change === undefined || verdict === undefined ? group : this.#settle(change, verdict, now)
    })
  }

  #ruleFor(service: ServiceKey, window: Window, net: number, said: number): Hold['rule'] | undefined {
    const { enabled, emptyHoldSeconds, shrinkPercent, shrinkHoldSeconds } = this.#bounds(service)
    if (!enabled || net === 0) return undefined
    if (said <= 0) return emptyHoldSeconds > 0 ? 'empty' : undefined
    return shrinkHoldSeconds > 0 && window.base >= leastOfService && window.lost * 100 > window.base * shrinkPercent ? 'shrink' : undefined
  }

  /** Little of each service, but much of the source. */
  #isLandslide(netLoss: number, now: number): boolean {
    const { enabled, sourceShrinkPercent, shrinkHoldSeconds } = this.#given.boundsOf(undefined)
    const window = this.#window(this.#sourceWindow, this.#total, now)
    window.lost += netLoss
    this.#sourceWindow = window
    const much = window.base >= leastOfSource && window.lost * 100 > window.base * sourceShrinkPercent
    return enabled && netLoss > 0 && shrinkHoldSeconds > 0 && much
  }

  #window(former: Window | undefined, base: number, now: number): Window {
    if (former === undefined || now - former.since >= windowMs) return { since: now, base, lost: 0 }
    former.base = Math.max(former.base, base)
    return former
  }

  /** Notes what is kept of a group; gives the group as it goes into the table. */
  #settle(
    { group, unexplained, kept }: Change,
    { rule, base }: { rule: Hold['rule'] | undefined; base: number },
    now: number,
  ): EndpointGroup {
    const present = new Set(group.endpoints.map(placeKey))
    const keep = new Map([...kept].filter(([place]) => !present.has(place)))
    if (rule !== undefined) for (const endpoint of unexplained) keep.set(placeKey(endpoint), endpoint)
    const hold = this.#holds.get(group.service)
    if (keep.size === 0) {
      hold?.groups.delete(group.id)
      if (hold?.groups.size === 0) this.#holds.delete(group.service)
      return group
    }
    const holding = hold ?? { rule: rule ?? 'shrink', since: now, base, askedAt: now, groups: new Map<string, HeldGroup>() }
    this.#holds.set(group.service, holding)
    holding.groups.set(group.id, { said: group, kept: keep })
    return this.#withKept(group, keep)
  }

  #withKept(group: EndpointGroup, kept: ReadonlyMap<string, Endpoint>): EndpointGroup {
    const text = `${this.#given.source} named it before and does not any more, nothing tells why, and many went with it`
    return { ...group, endpoints: [...group.endpoints, ...[...kept.values()].map(endpoint => held(endpoint, 'guard', text))] }
  }

  /** Lets go of so many, in random order. */
  #evict(service: ServiceKey, hold: Hold, most: number): EndpointGroup[] {
    const all = [...hold.groups].flatMap(([id, { kept }]) => [...kept.keys()].map(place => ({ id, place, order: this.#given.random() })))
    const touched = new Set<string>()
    for (const { id, place } of all.sort((a, b) => a.order - b.order).slice(0, most)) {
      hold.groups.get(id)?.kept.delete(place)
      touched.add(id)
    }
    const groups = [...touched].flatMap(id => {
      const { said, kept } = hold.groups.get(id) as HeldGroup
      if (kept.size === 0) hold.groups.delete(id)
      return this.#withKept(said, kept)
    })
    // What is believed now is what later losses are measured by.
    this.#windows.delete(service)
    if (hold.groups.size === 0) this.#holds.delete(service)
    return groups
  }

  /** Keeps count of what goes into the table. What goes with a witness lowers what later losses are measured by (5.4). */
  #counted(groups: readonly EndpointGroup[], cause: RemovalCause): readonly EndpointGroup[] {
    for (const group of groups) {
      const delta = group.endpoints.length - (this.#given.table.group(this.#given.source, group.id)?.endpoints.length ?? 0)
      if (delta === 0) continue
      this.#total += delta
      for (const window of [this.#sourceWindow, this.#windows.get(group.service)]) {
        if (window === undefined) continue
        if (delta > 0) window.lost = Math.max(0, window.lost - delta)
        else if (cause === 'explicit') window.base = Math.max(0, window.base + delta)
      }
    }
    return groups
  }

  /** A group that moves to another service takes nothing of what was kept of it along. */
  #forget({ id, service }: EndpointGroup): void {
    const hold = this.#holds.get(service)
    if (hold?.groups.delete(id) === true && hold.groups.size === 0) this.#holds.delete(service)
  }

  #bounds(service: ServiceKey): GuardBounds {
    return this.#given.boundsOf(service)
  }
}

function keptIn({ groups }: Hold): number {
  let kept = 0
  for (const group of groups.values()) kept += group.kept.size
  return kept
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}
