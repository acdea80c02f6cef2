import type { Steps } from './steps.ts'

/** Turns of the event loop; Timers are some. */
interface Turns {
  /** Milliseconds, monotonic. */
  now(): number
  /** Runs `task` in a later turn, after `ms` at the earliest. */
  after(ms: number, task: () => void): unknown
}

/** So long a piece of work may hold the event loop, ms; then whatever waits, an endpoint change first of all, has its turn. */
const sliceMs = 5

/** Does long work in slices, one a turn of the event loop, and gives its result. */
export async function inSlices<Result>(work: Steps<Result>, turns: Turns): Promise<Result> {
  for (let until = turns.now() + sliceMs; ; ) {
    const step = work.next()
    if (step.done === true) return step.value
    if (turns.now() < until) continue
    await new Promise<void>(resolve => turns.after(0, resolve))
    until = turns.now() + sliceMs
  }
}
