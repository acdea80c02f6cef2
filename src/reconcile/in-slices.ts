import type { Steps } from '../model/steps.ts'
import type { Timers } from './timers.ts'

/** So long a piece of work may hold the event loop, ms; then whatever waits, an endpoint change first of all, has its turn. */
const sliceMs = 5

/** Does long work in slices, one a turn of the event loop, and gives its result. */
export async function inSlices<Result>(work: Steps<Result>, timers: Timers): Promise<Result> {
  for (let until = timers.now() + sliceMs; ; ) {
    const step = work.next()
    if (step.done === true) return step.value
    if (timers.now() < until) continue
    await new Promise<void>(resolve => timers.after(0, resolve))
    until = timers.now() + sliceMs
  }
}
