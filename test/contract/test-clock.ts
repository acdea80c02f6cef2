import type { Clock } from '../../src/discovery/contract.ts'

interface Sleeper {
  readonly due: number
  readonly wake: () => void
}

/** A clock that stands still until `advance` is called. `sleep` resolves when the time has come, or at once on abort. */
export interface TestClock extends Clock {
  /** Moves time on and wakes, in order of their time, all sleepers that are due. */
  advance(ms: number): void
  /** Resolves once at least `count` sleepers wait. */
  untilSleeping(count?: number): Promise<void>
}

/** Makes a clock at 1,000,000 ms monotonic and a fixed wall time. */
export function makeTestClock(): TestClock {
  let now = 1_000_000
  const wallOffset = 1_700_000_000_000 - now
  const sleepers = new Set<Sleeper>()
  let watchers: (() => void)[] = []
  return {
    now: () => now,
    wall: () => now + wallOffset,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        if (signal?.aborted === true || ms <= 0) {
          resolve()
          return
        }
        const wake = (): void => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const sleeper: Sleeper = { due: now + ms, wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake)
        const waiting = watchers
        watchers = []
        for (const callback of waiting) callback()
      }),
    advance(ms) {
      now += ms
      const due = [...sleepers].filter(sleeper => sleeper.due <= now).sort((a, b) => a.due - b.due)
      for (const sleeper of due) sleeper.wake()
    },
    async untilSleeping(count = 1) {
      while (sleepers.size < count) await new Promise<void>(resolve => watchers.push(resolve))
    },
  }
}
