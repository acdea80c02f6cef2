import type { ServiceKey } from '../model/service-key.ts'

/** Which endpoints of which pool one cluster gets: the bridge between the slow path (routes) and the fast path (endpoints). */
export interface AssignmentSpec {
  /** The EDS name. */
  readonly name: string
  readonly service: ServiceKey
  readonly port: PortSelector
  readonly members: MemberFilter
}

/**
 * Which port of an instance that has several; an instance with exactly one always matches (interface.md, `service:`).
 * `default`: 80 (443 when `tls`) if some instance has it, else the only port.
 */
export type PortSelector =
  | { readonly kind: 'default'; readonly tls: boolean }
  | { readonly kind: 'number'; readonly number: number }
  | { readonly kind: 'name'; readonly name: string }

/** Whose evidence counts: every source's, those of one type of source, or one source's. */
export type MemberFilter =
  | { readonly kind: 'all' }
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'source'; readonly source: string }
