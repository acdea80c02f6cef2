/**
 * `npm run soak:streams`: 10,000 streams come and go on an xDS server, 50 at a time, each until it holds everything; prints the heap in use
 * after full collections, and fails if it is not flat from the first tenth to the last.
 */
import { ManualClock } from '../envoy/manual-clock.ts'
import { Harness } from '../xds/harness.ts'
import { cycle, fillForCycles } from '../xds/cycles.ts'

const cycles = Number(process.argv[2] ?? '10000')
const streams = 50
const growthMostMB = 2

const xds = new Harness({ clock: new ManualClock() })
await xds.listen()
fillForCycles(xds)
const heap: number[] = []
await cycle(xds, streams, cycles / streams, (done, megabytes) => {
  xds.logged.length = 0
  xds.observed.length = 0
  heap.push(megabytes)
  process.stdout.write(`${String(done).padStart(6)} cycles: ${megabytes.toFixed(1)} MB\n`)
})
await xds.close()
const growth = (heap.at(-1) ?? 0) - (heap[0] ?? 0)
process.stdout.write(`growth ${growth.toFixed(1)} MB, kept ${JSON.stringify(xds.cache.kept)}\n`)
if (growth > growthMostMB) process.exitCode = 1
