import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../src/discovery/contract.ts'

/** The process's own time: leases are judged outside of runs too, where the contract hands no clock over. */
export const monotonicClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, signal === undefined ? {} : { signal })
    } catch {
      // Aborted: the contract says that this resolves.
    }
  },
}
