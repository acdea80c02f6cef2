import type { Health, Presence } from '../model/health.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { comparePlaces } from './pool-order.ts'
import type { PoolEndpoint, PoolView } from './pool-view.ts'

/** An endpoint as the ledger remembers it. */
export interface SeenEndpoint {
  readonly address: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
  readonly health: Health
  readonly presence: Presence
  readonly weight: number
  /** Whether Envoy was told to send requests there. */
  readonly served: boolean
  /** Names of the sources that named it, the deciding one first. */
  readonly sources: readonly string[]
  /** Codes and texts of the merge's reasons. */
  readonly reasons: readonly { readonly code: string; readonly text: string }[]
}

/**
 * Why endpoints changed: `source`: a registry said so; `override`: an operator; `pool`: the rule of the service; `restart`: the gateway was
 * away. Or what a user did: the others.
 */
export const ledgerCauses = [
  'source',
  'override',
  'pool',
  'restart',
  'override-set',
  'override-unset',
  'override-expired',
  'release-guard',
  'resync',
  'lost',
] as const
export type LedgerCause = (typeof ledgerCauses)[number]

/** What happened at one time, about one service or the gateway. */
export interface LedgerEvent {
  /** Wall clock ms. */
  readonly at: number
  /** Of the endpoint table. */
  readonly revision: number
  /** Undefined for what concerns no single service. */
  readonly service: ServiceKey | undefined
  readonly cause: LedgerCause
  /** Sources whose word changed, sorted. */
  readonly sources: readonly string[]
  /** Who, where it was a user. */
  readonly actor: string | undefined
  /** In a sentence, where endpoints alone do not say it. */
  readonly text: string
  /** The endpoints that changed as they were; those that are new are missing. */
  readonly before: readonly SeenEndpoint[]
  /** The same as they are since; those that went are missing. */
  readonly after: readonly SeenEndpoint[]
  /** Changes that were told in one because there were too many to tell apart; absent: 1. */
  readonly merged?: number
}

/** With its place in the ledger: counted from 1, never given twice. */
export interface LedgerEntry extends LedgerEvent {
  readonly seq: number
}

/** How far the ledger goes. */
export interface LedgerExtent {
  /** `seq` of the last entry; 0: there is none. */
  readonly last: number
  /** Since when it knows everything, wall clock ms. */
  readonly since: number
}

/**
 * What users may ask of the ledger: who asks sees everything that happened before, also what was not written yet. All reject with IsthmusError
 * `state-unusable` when its database cannot be used.
 */
export interface LedgerReader {
  /** Entries after `seq` in order, of one service if one is named, not older than `since`; at most `limit`. */
  entries(query: LedgerQuery): Promise<readonly LedgerEntry[]>
  extent(): Promise<LedgerExtent>
  /** The endpoints of a service at a time, in the table's order; undefined: longer ago than the ledger reaches. */
  at(service: ServiceKey, time: number): Promise<readonly SeenEndpoint[] | undefined>
  /**
   * Since when each reason of an endpoint, as it was last entered, holds without a break; one that holds longer than the ledger reaches
   * is missing.
   */
  reasonsSince(service: ServiceKey, place: Pick<SeenEndpoint, 'address' | 'port' | 'protocol'>): Promise<readonly ReasonSince[]>
  /** Is called after entries were written; the result unsubscribes. */
  onEntries(listener: () => void): () => void
}

/** A reason, and the wall clock ms at which it came. */
export interface ReasonSince {
  readonly code: string
  readonly text: string
  readonly at: number
}

export interface LedgerQuery {
  readonly after?: number
  readonly service?: ServiceKey | undefined
  readonly since?: number | undefined
  readonly limit: number
}

/** What the ledger remembers of an endpoint. */
export function seen(endpoint: PoolEndpoint): SeenEndpoint {
  const { address, port, protocol, health, presence, weight, excluded, evidence, reasons } = endpoint
  const served = excluded !== true && presence !== 'expired' && health !== 'draining' && health !== 'unhealthy'
  const sources = [...new Set(evidence.map(one => one.source))]
  return { address, port, protocol, health, presence, weight, served, sources, reasons }
}

/** One endpoint before and after; undefined: it was, or is, not there. */
export interface EndpointChange {
  readonly before: PoolEndpoint | undefined
  readonly after: PoolEndpoint | undefined
}

/** What differs between two views of a service, in the table's order. Linear, and next to nothing for what is the same object. */
export function changesBetween(before: PoolView | undefined, after: PoolView): readonly EndpointChange[] {
  const old = before?.endpoints ?? []
  const now = after.endpoints
  const changes: EndpointChange[] = []
  let i = 0
  let j = 0
  for (;;) {
    const left = old[i]
    const right = now[j]
    if (left === undefined && right === undefined) return changes
    const order = left === right ? 0 : left === undefined ? 1 : right === undefined ? -1 : comparePlaces(left, right)
    if (order <= 0) i++
    if (order >= 0) j++
    if (order < 0) changes.push({ before: left, after: undefined })
    else if (order > 0) changes.push({ before: undefined, after: right })
    else if (left !== right) changes.push({ before: left, after: right })
  }
}

/** Key of an endpoint within its service. */
export function placeKey({ address, port, protocol }: Pick<SeenEndpoint, 'address' | 'port' | 'protocol'>): string {
  return `${address} ${String(port)} ${protocol}`
}

/** What was before an entry, given what was after it: `state` is changed. */
export function undo(state: Map<string, SeenEndpoint>, { before, after }: Pick<LedgerEvent, 'before' | 'after'>): void {
  for (const one of after) state.delete(placeKey(one))
  for (const one of before) state.set(placeKey(one), one)
}

/** Why endpoints changed, as far as they show it. */
export function causeOf(
  before: PoolView | undefined,
  after: PoolView,
  changes: readonly EndpointChange[],
): {
  readonly cause: LedgerCause
  readonly sources: readonly string[]
  readonly overrides: readonly string[]
  readonly actor: string | undefined
} {
  const overrides = new Set<string>()
  const sources = new Set<string>()
  let actor: string | undefined
  for (const { before: left, after: right } of changes) {
    if (left?.override !== right?.override && left !== undefined && right !== undefined) {
      for (const one of [left.override, right.override]) if (one !== undefined) overrides.add(one.id)
      actor ??= right.override?.actor
      if (left.evidence === right.evidence) continue
    }
    const old = new Set(left?.evidence)
    const now = new Set(right?.evidence)
    for (const one of old.symmetricDifference(now)) sources.add(one.source)
  }
  const cause =
    sources.size === 0 && overrides.size > 0
      ? 'override'
      : before !== undefined && before.rule !== after.rule
        ? 'pool'
        : sources.size > 0
          ? 'source'
          : 'pool'
  return { cause, sources: [...sources].sort(), overrides: [...overrides], actor }
}
