import type { ServiceKey } from './service-key.ts'

/** What an operator may decide about one endpoint, above what all sources say (reference/discovery.md 5.9). */
export const overrideActions = ['drain', 'exclude', 'weight', 'pin'] as const
/**
 * `drain`: no new requests; `exclude`: Envoy is not told of it at all; `weight`: this weight instead of the registry's; `pin`: healthy
 * whatever its sources say, for as long as one of them names it.
 */
export type OverrideAction = (typeof overrideActions)[number]

/** A decision of an operator. */
export interface Override {
  readonly id: string
  readonly service: ServiceKey
  /** Canonical IP address. */
  readonly address: string
  /** 1 to 65535. */
  readonly port: number
  readonly action: OverrideAction
  /** The weight, at least 1, of an action `weight`. */
  readonly value?: number
  /** Why, in the operator's words. */
  readonly reason: string
  readonly actor: string
  /** ms since 1970; absent: until it is taken back. */
  readonly expiresAt?: number
}
