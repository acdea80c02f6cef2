import type { ServiceKey } from '../model/service-key.ts'
import type { WatchCounts } from './contract.ts'
import type { GuardHold } from './guard.ts'

/** `syncing` until the first full read; `lagging`, `stale` by age; `disabled` by the operator (reference/discovery.md 5). */
export type SourceState = 'syncing' | 'live' | 'lagging' | 'stale' | 'expired' | 'disabled'

/** What `GET /sources` says of one source. */
export interface SourceStatus {
  readonly name: string
  readonly type: string
  readonly state: SourceState
  /** Wall clock ms of the last successful read; undefined before the first. */
  readonly lastSuccess: number | undefined
  readonly ageSeconds: number | undefined
  /** The first current error, cleared by the next success; undefined when all is well. */
  readonly error: { readonly code: string; readonly text: string; readonly count: number } | undefined
  readonly notices: readonly string[]
  readonly services: number
  readonly endpoints: number
  /** Endpoints held by a guard. */
  readonly held: number
  /** What the guard holds, by service. */
  readonly holds: readonly GuardHold[]
  readonly restarts: number
  /** What its watches did; undefined for a source without watches. */
  readonly watches?: readonly WatchCounts[]
}

/** An address that a source names, or named, and that is not in the table for it. */
export interface LeftOut {
  readonly source: string
  /** `address-refused`: its address rules; `source-expired`: the source was not read for so long that all of it was dropped. */
  readonly code: 'address-refused' | 'source-expired'
  /** Under which service and port; undefined where only the address is known. */
  readonly service: ServiceKey | undefined
  readonly port: number | undefined
  readonly text: string
}

/** The read-only face of the host. */
export interface SourcesReader {
  statuses(): readonly SourceStatus[]
  /** What sources name at a canonical address and the gateway does not take. */
  leftOut(address: string): readonly LeftOut[]
  /** Restarts the source's run, which reads everything anew; false when there is no such source. */
  resync(name: string): boolean
  /** Believes a source in all that its guard holds: gives how many endpoints that concerns, undefined when there is no such source. */
  releaseGuard(name: string): number | undefined
  /** Resolves once every source has synced or failed its first attempt's bound; see readiness. */
  readonly allSynced: boolean
}
