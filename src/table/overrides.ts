import type { Override } from '../model/override.ts'

/** What an operator asks for. */
export interface OverrideRequest extends Omit<Override, 'expiresAt'> {
  /** From now on; absent: until it is taken back. */
  readonly ttlMs?: number
}

/** An override in force. */
export interface OverrideState {
  readonly override: Override
  /** Wall clock ms. */
  readonly setAt: number
  /** Whether it outlives a restart: false while it could not be written. */
  readonly kept: boolean
}

/** The narrow way in for operators' decisions (reference/discovery.md 5.9). */
export interface OverrideDesk {
  /** Sorted by id. */
  list(): readonly OverrideState[]
  /**
   * Puts one in force, in the place of the one of the same id. One endpoint has one override at most.
   * @throws IsthmusError `override-conflict`, naming the other one of the endpoint
   */
  put(request: OverrideRequest): OverrideState
  /**
   * Takes one back.
   * @throws IsthmusError `override-unknown`
   */
  remove(id: string, actor: string): void
}
