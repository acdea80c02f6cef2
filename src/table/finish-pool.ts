import type { Override } from '../model/override.ts'
import type { Reason } from '../model/reason.ts'
import { applyOverride } from './apply-override.ts'
import { bar } from './bar.ts'
import { comparePlaces } from './pool-order.ts'
import type { PoolEndpoint, PoolView } from './pool-view.ts'

/** What stands above the merge of one pool. */
export interface Finish {
  /** By `addressKey`. */
  readonly overrides: ReadonlyMap<string, Override> | undefined
  /** Why an endpoint is not what its sources take it for; undefined: nothing is known against any. The same reason is the same object. */
  readonly barred?: ((endpoint: PoolEndpoint) => Reason | undefined) | undefined
  /** How long an endpoint that nobody names any more drains (ms). */
  readonly drainMs: number
  /** ms of the table's clock. */
  readonly now: number
}

/** How overrides of a service are looked up: `10.0.0.1 80`. */
export function addressKey({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address} ${String(port)}`
}

/**
 * Puts operators' decisions on top of a merge, and keeps what it lost for the drain window: an endpoint goes out as draining before it is
 * dropped (reference/discovery.md 1.5), unless it took no requests anyway. Pure; the merge itself when there is nothing to add.
 * @param former the last view this gave
 */
export function finishPool(merged: PoolView, former: PoolView | undefined, finish: Finish): PoolView {
  const { overrides, barred, drainMs, now } = finish
  const lingering = former !== undefined && (drainMs > 0 || former.endpoints.some(one => one.goneAt !== undefined))
  if ((overrides === undefined || overrides.size === 0) && barred === undefined && !lingering) return merged
  const old = former?.endpoints ?? []
  const finished: PoolEndpoint[] = []
  let from = 0
  for (const endpoint of merged.endpoints) {
    for (; from < old.length && comparePlaces(old[from] as PoolEndpoint, endpoint) < 0; from++)
      linger(finished, old[from] as PoolEndpoint, drainMs, now)
    const before = old[from]
    const known = before !== undefined && comparePlaces(before, endpoint) === 0 ? before : undefined
    if (known !== undefined) from++
    const override = overrides === undefined ? undefined : overrideOf(endpoint, overrides)
    // An operator who pins an endpoint knows better.
    finished.push(decided(endpoint, known, override, override?.action === 'pin' ? undefined : barred?.(endpoint)))
  }
  for (; from < old.length; from++) linger(finished, old[from] as PoolEndpoint, drainMs, now)
  if (sameItems(finished, merged.endpoints)) return merged
  if (
    former !== undefined &&
    sameItems(finished, former.endpoints) &&
    sameItems(merged.sources, former.sources) &&
    merged.rule === former.rule
  )
    return former
  return { ...merged, endpoints: finished }
}

/** When the first of the draining endpoints of a view is to be dropped; Infinity: none drains. */
export function firstGone(view: PoolView): number {
  let first = Infinity
  for (const { goneAt } of view.endpoints) if (goneAt !== undefined && goneAt < first) first = goneAt
  return first
}

function linger(into: PoolEndpoint[], lost: PoolEndpoint, drainMs: number, now: number): void {
  if (lost.goneAt !== undefined) {
    if (lost.goneAt > now && drainMs > 0) into.push(lost)
    return
  }
  const served = lost.presence !== 'expired' && lost.health !== 'draining' && lost.health !== 'unhealthy' && lost.excluded !== true
  if (drainMs <= 0 || !served) return
  const reason: Reason = { code: 'removed', text: `no source names it any more; it drains for ${String(drainMs / 1000)} s` }
  into.push({ ...lost, health: 'draining', goneAt: now + drainMs, reasons: [...lost.reasons, reason] })
}

/** An operator may have named any of its addresses. */
function overrideOf(endpoint: PoolEndpoint, overrides: ReadonlyMap<string, Override>): Override | undefined {
  const { port, additionalAddresses } = endpoint
  const own = overrides.get(addressKey(endpoint))
  if (own !== undefined || additionalAddresses.length === 0) return own
  return additionalAddresses.map(address => overrides.get(addressKey({ address, port }))).find(one => one !== undefined)
}

function decided(
  endpoint: PoolEndpoint,
  before: PoolEndpoint | undefined,
  override: Override | undefined,
  barred: Reason | undefined,
): PoolEndpoint {
  if (override === undefined && barred === undefined) return endpoint
  const same =
    before !== undefined &&
    before.override === override &&
    before.barred === barred &&
    before.evidence === endpoint.evidence &&
    before.member === endpoint.member &&
    before.goneAt === undefined
  if (same) return before
  const seen = barred === undefined ? endpoint : bar(endpoint, barred)
  return override === undefined ? seen : applyOverride(seen, override)
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]))
}
