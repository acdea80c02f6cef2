import type { AssignmentSpec } from '../ir/assignment.ts'
import type { RouteTable } from '../ir/route-table.ts'
import type { ObjectStatus } from '../manifests/status.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { PoolView } from '../table/reader.ts'

/** Everything that is served at one time, real or imagined. Frozen: reality goes on without it. */
export interface World {
  readonly pools: ReadonlyMap<ServiceKey, PoolView>
  readonly routes: RouteTable
  /** Clusters that no route made but a client's request (proxyless gRPC). */
  readonly dynamic: readonly AssignmentSpec[]
  readonly objects: readonly ObjectStatus[]
}
