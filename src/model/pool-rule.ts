import type { CheckPolicy } from './check-health.ts'
import type { ServiceKey } from './service-key.ts'

/**
 * How a ServicePool makes one service of what sources know: the rule that the endpoint table follows (reference/discovery.md 1.6). Plain
 * data, checked and complete: names are resolved, percentages and levels are numbers. A service without a rule is the union of what every
 * source knows under its key.
 */
export interface PoolRule {
  /** The service that the pool is; it takes the place of the implicit pool of this key. */
  readonly service: ServiceKey
  readonly mode: PoolMode
  /** At least one, in the order written: where two select the same endpoint, the one of the lower level, then the earlier one, has it. */
  readonly members: readonly PoolMember[]
  /** Each client uses the endpoints of its own zone first, then those of its region; not in mode `weighted`. */
  readonly preferZone?: true
  /** An endpoint that its sources no longer name stays this long as draining (reference/discovery.md 1.5); 0 drops it at once. */
  readonly drainSeconds: number
  /** Bounds for the guards around the sources; absent: the gateway's own. */
  readonly guards?: PoolGuards
}

/** The source that looks up the host names of members; no other has its name. */
export const poolNamesSource = 'pool-names'

export const poolModes = ['union', 'priority', 'weighted', 'failover'] as const
export type PoolMode = (typeof poolModes)[number]

/** Which endpoints belong to a member, and what they are given. */
export interface PoolMember {
  readonly name: string
  /** Keys under which sources know its endpoints: one, or one per namespace where none is written. */
  readonly services: readonly ServiceKey[]
  /** Only evidence of sources of this type counts; undefined: of any. */
  readonly sourceType: string | undefined
  /** Only evidence of these sources counts; undefined: of all of the type. */
  readonly sources: readonly string[] | undefined
  /** Only this port, by number or name; an instance with exactly one port always matches. */
  readonly port: number | string | undefined
  /** All of these. */
  readonly tags: readonly string[]
  /** All of these keys with these values. */
  readonly meta: Readonly<Record<string, string>>
  /** Percent of its level's requests in mode `weighted`, 0 to 100; 0 gets none. Undefined in other modes. */
  readonly share: number | undefined
  /** Lower levels are used first. */
  readonly level: number
  /** Its endpoints are the addresses of this name; `services` and `sources` are where the gateway files them. */
  readonly hostName?: { readonly name: string; readonly port: number }
  /** What checks mean here; what is left out is as the source has it. */
  readonly health?: CheckPolicy
}

/** Bounds of the guards (reference/discovery.md 5.3 to 5.6) for the services a pool takes endpoints from. */
export interface PoolGuards {
  readonly emptyHoldSeconds?: number
  /** Percent. */
  readonly shrinkPercent?: number
  readonly shrinkHoldSeconds?: number
  readonly maxStaleSeconds?: number
  readonly onStale?: 'keep' | 'degrade' | 'drop'
}

/** Bounds of a source's guards, as in isthmus.yaml; a ServicePool may say otherwise for its services. */
export interface SourceGuards extends PoolGuards {
  /** False: what the source says is believed at once. */
  readonly enabled?: boolean
  /** Percent of the whole source; a greater loss at once is held. */
  readonly sourceShrinkPercent?: number
}
