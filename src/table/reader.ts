import type { ServiceKey } from '../model/service-key.ts'
import type { PoolView } from './pool-view.ts'

export { decideAgain } from './decide-again.ts'
export { whyNotMember } from './members.ts'
export { isAt } from './pool-order.ts'
export { levelsOf, priorityOf } from './priorities.ts'
export { selectPorts } from './select-ports.ts'
export type { Evidence, PoolEndpoint, PoolView } from './pool-view.ts'

/** The read-only face of the endpoint table. Views are frozen: they stay valid after the table moved on. */
export interface TableReader {
  /** Counts every accepted change; the `X-Isthmus-Index` of the API. */
  readonly revision: number
  /** The service's pool, or undefined if no source has ever known it since the start. A known service may have no endpoints. */
  pool(service: ServiceKey): PoolView | undefined
  /** The services whose groups a service is made of: itself, or what the members of its ServicePool select. */
  basesOf(service: ServiceKey): readonly ServiceKey[]
  /** What sources know under a key, whether or not a ServicePool of that name stands in front of it. */
  base(service: ServiceKey): PoolView | undefined
  /** Every service ever known, in no particular order. */
  pools(): Iterable<PoolView>
  readonly size: { readonly services: number; readonly endpoints: number }
  /** Is called after every change with the pools that changed and the source's time of the event; returns the unsubscribe. */
  onChange(listener: (change: TableChange) => void): () => void
}

export interface TableChange {
  readonly revision: number
  /** Pools whose view changed, with the views before and after. */
  readonly pools: readonly { readonly before: PoolView | undefined; readonly after: PoolView }[]
  /** `clock.now()` when the data behind it arrived at the source. */
  readonly receivedAt: number
}
