import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './client.ts'
import { CliError, type Io } from './io.ts'

/** Blocking parameters for the next look; empty for the first. */
export interface WatchQuery {
  readonly index?: string
  readonly wait?: string
}

/**
 * The table's changes wake a watch at once. States of sources, Envoys and objects change without it, and ages grow: so it looks again after
 * this time, too.
 */
const waitSeconds = 2

/**
 * Prints `look`'s text once, or with `watch` again and again whenever it changes, until interrupted. A gateway that is away for a while
 * (a restart) is waited for.
 */
export async function show(
  io: Io,
  watch: boolean,
  look: (query: WatchQuery, waitMs: number, signal: AbortSignal | undefined) => Promise<Answer<string>>,
): Promise<void> {
  const once = await look({}, 0, undefined)
  if (!watch) {
    io.out.write(once.body)
    return
  }
  const signal = io.interrupted
  draw(io, once.body)
  let last = once
  const interrupted = () => signal.aborted
  while (!interrupted()) {
    try {
      const next = await look({ index: last.index, wait: `${waitSeconds}s` }, waitSeconds * 1000, signal)
      if (next.body !== last.body) draw(io, next.body)
      last = next
    } catch (error) {
      if (interrupted()) return
      if (!(error instanceof CliError) || error.exitCode !== 3) throw error
      io.err.write(`isthmus: ${error.message}; trying again\n`)
      // An interrupt ends the sleep by throwing; the loop then ends.
      await sleep(waitSeconds * 1000, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** On a terminal each picture replaces the one before; elsewhere they follow each other, with an empty line between. */
function draw(io: Io, text: string): void {
  io.out.write(io.out.isTTY === true ? `\u001b[H\u001b[2J\u001b[3J${text}` : `${text}\n`)
}
