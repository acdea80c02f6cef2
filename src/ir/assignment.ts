import type { PortSelector } from '../model/port-selector.ts'
import type { ServiceKey } from '../model/service-key.ts'

/** Which endpoints of which pool one cluster gets: the bridge between the slow path (routes) and the fast path (endpoints). */
export interface AssignmentSpec {
  /** The EDS name. */
  readonly name: string
  readonly service: ServiceKey
  readonly port: PortSelector
  readonly members: MemberFilter
  /** Only these of the pool, the first that there are: each step is a priority. Undefined: all. */
  readonly subset?: readonly SubsetStep[]
  /** Identities that the cluster can reach through a mesh: endpoints that are in one and have another are left out. Undefined: none. */
  readonly mesh?: readonly string[]
  /** The cluster finds out itself which endpoints are dead: it has outlier detection or active health checks. */
  readonly probed?: true
}

/** Keys and values that an endpoint's metadata must have (`tag:NAME`: "true" for a tag), or any endpoint. */
export type SubsetStep = Readonly<Record<string, string>> | 'any'

export type { PortSelector }

/** Whose evidence counts: every source's, those of one type of source, or one source's. */
export type MemberFilter =
  | { readonly kind: 'all' }
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'source'; readonly source: string }
