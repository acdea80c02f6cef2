import type { Clock, Lease } from '../discovery/contract.ts'
import type { SourcesReader } from '../discovery/status.ts'
import type { AssignmentSpec } from '../ir/assignment.ts'
import type { Health } from '../model/health.ts'
import type { RouteTable } from '../ir/route-table.ts'
import type { ObjectsReader } from '../manifests/objects-reader.ts'
import type { LedgerEvent, LedgerReader } from '../table/ledger.ts'
import type { OverrideDesk } from '../table/overrides.ts'
import type { PoolEndpoint, PoolView, TableReader } from '../table/reader.ts'
import type { Asked, Consequences } from '../what-if/what-if.ts'
import type { ProxiesReader } from '../xds/status.ts'

/** Everything the admin API reads. It writes nothing but through `sources` and `overrides`. */
export interface AdminReaders {
  readonly id: string
  readonly version: string
  /** Wall clock ms of the gateway's start. */
  readonly startedAt: number
  readonly clock: Clock
  readonly table: TableReader
  readonly sources: SourcesReader
  readonly proxies: ProxiesReader
  readonly objects: ObjectsReader
  /** The one in force; the same object until a recompile changed it. */
  routeTable(): RouteTable
  /** The endpoints of a pool that one cluster gets: the generator's own selection, so that explanations cannot differ from it. */
  select(pool: PoolView | undefined, assignment: AssignmentSpec): readonly PoolEndpoint[]
  /** The health that Envoy is told of an endpoint; `probed`: whether the cluster finds dead ones out by itself. The generator's own, too. */
  told(endpoint: PoolEndpoint, probed: boolean): Health
  /** Clusters that no route made but a client's request (proxyless gRPC). */
  dynamicAssignments?(): readonly AssignmentSpec[]
  readonly overrides: OverrideDesk
  readonly ledger: LedgerReader
  /** Notes what a user did in the ledger. */
  record(event: Pick<LedgerEvent, 'service' | 'cause' | 'sources' | 'actor' | 'text'>): void
  /** What would be served if; nothing is changed. See `whatIfDesk` for what it throws. */
  whatIf(asked: Asked): Promise<Consequences>
  leases(): readonly Lease[]
  ready(): Readiness
  readonly metrics: { readonly contentType: string; metrics(): Promise<string> }
}

export interface Readiness {
  readonly ready: boolean
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[]
}
