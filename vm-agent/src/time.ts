import { setTimeout as sleep } from 'node:timers/promises'

/** Time and chance, injected so that tests need not wait. */
export interface Time {
  /** Monotonic milliseconds. */
  now(): number
  /** Resolves after `ms`, or at once on abort; never throws. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** Uniform in [0, 1). */
  random(): number
}

export const realTime: Time = {
  now: () => performance.now(),
  random: () => Math.random(),
  async sleep(ms, signal) {
    try {
      await sleep(ms, undefined, { signal })
    } catch {
      // Aborted: the waiter looks at its signal.
    }
  },
}

const firstMs = 500
const mostMs = 30_000

/** Delay before another try after `failures` in a row: doubling from 0.5 s to 30 s, the upper half of it by chance. */
export function backOffMs(failures: number, random: number): number {
  const most = Math.min(mostMs, firstMs * 2 ** Math.min(failures, 16))
  return Math.max(firstMs, most * (0.5 + 0.5 * random))
}

/** A renewal is due after this long, give or take 20 %, so that agents started together do not stay together. */
export function renewDelayMs(renewAfterSeconds: number, random: number): number {
  return renewAfterSeconds * 1000 * (0.8 + 0.4 * random)
}
