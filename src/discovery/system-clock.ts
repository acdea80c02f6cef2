import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from './contract.ts'

/** The process's own time. */
export const systemClock: Clock = {
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
