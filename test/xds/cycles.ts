import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Fleet } from '../bench/fleet.ts'
import type { Harness } from './harness.ts'
import { resource } from './resources.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** So many names each stream watches. */
export const cycleNames = 200

/** Fills a server with as many clusters, each with an assignment of its own. */
export function fillForCycles(xds: Harness): void {
  for (let index = 0; index < cycleNames; index++)
    xds.put(resource(`cluster c-${String(index)}`), resource(`endpoint c-${String(index)}`, 'x'.repeat(100)))
}

/**
 * Connects `streams` clients, each on a connection of its own, and cuts them all when they hold everything, `rounds` times.
 * `tell` hears of the heap in use after a full collection, MB, after each tenth of the rounds.
 */
export async function cycle(xds: Harness, streams: number, rounds: number, tell: (done: number, heapMB: number) => void): Promise<void> {
  const fleet = new Fleet(xds.port)
  await fleet.grow(streams, cycleNames)
  for (let round = 1; round < rounds; round++) {
    await fleet.storm()
    if (round % Math.ceil(rounds / 10) !== 0) continue
    collect()
    tell(round * streams, process.memoryUsage().heapUsed / 1e6)
  }
  await fleet.close()
}
