import type { Steps } from '../model/steps.ts'
import { setImmediate as turn } from 'node:timers/promises'

/** How long a piece of work may hold up everything else, ms: an endpoint change must not wait for it longer. */
const sliceMs = 5

/** Runs work that yields now and then, and lets the event loop go on whenever it has run for some ms. */
export async function inSlices<Result>(work: Steps<Result>): Promise<Result> {
  for (let begun = performance.now(); ; ) {
    const step = work.next()
    if (step.done === true) return step.value
    if (performance.now() - begun < sliceMs) continue
    await turn()
    begun = performance.now()
  }
}
