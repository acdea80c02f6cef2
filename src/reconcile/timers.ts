/** Timers, injected so that tests decide when they fire. */
export interface Timers {
  /** Milliseconds, monotonic. */
  now(): number
  /** Runs `task` in the next turn of the event loop, or after `ms` when that is over 0; the result cancels it. */
  after(ms: number, task: () => void): () => void
}

/** The process's own timers. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after(ms, task) {
    if (ms <= 0) {
      const immediate = setImmediate(task)
      return () => clearImmediate(immediate)
    }
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
}
