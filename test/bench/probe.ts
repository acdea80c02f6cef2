/**
 * Loaded into the gateway of a bench. SIGCONT collects all garbage and then says so in a file, so that memory is compared and not the
 * collector's mood (performance.md P6); SIGURG writes what happened since the last one to the file named by ISTHMUS_BENCH_PROBE: garbage
 * collection and event-loop delay, ms, what was allocated meanwhile (P12), MB, and when the address of each change first arrived in the answer
 * of an HTTP call that the gateway had made (a watch's event, decrypted, not yet parsed), ms of the machine's monotonic clock.
 */
import { IncomingMessage } from 'node:http'
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { GCProfiler } from 'node:v8'
import { summarise } from './summary.ts'

/** The profiler keeps 6 kB of text per collection until it is asked, which would be 100 MB in a minute of soak. */
const collectionsMost = 100

let pauses: number[] = []
let unread = 0
let allocated = 0
const observer = new PerformanceObserver(list => {
  for (const entry of list.getEntries()) pauses.push(entry.duration)
  unread += list.getEntries().length
  if (unread > collectionsMost) allocated += allocatedBytes()
})
observer.observe({ entryTypes: ['gc'] })
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()
let profiler = new GCProfiler()
profiler.start()
let inUse = heapAndBuffers()

function heapAndBuffers(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Since the profiler was last asked: between two collections, what is in use grows by what was allocated. */
function allocatedBytes(): number {
  unread = 0
  const { statistics } = profiler.stop()
  profiler = new GCProfiler()
  let sum = 0
  let before = inUse
  for (const { beforeGC, afterGC } of statistics) {
    sum += beforeGC.heapStatistics.usedHeapSize + beforeGC.heapStatistics.externalMemory - before
    before = afterGC.heapStatistics.usedHeapSize + afterGC.heapStatistics.externalMemory
  }
  const now = heapAndBuffers()
  inUse = now
  profiler.start()
  return sum + now - before
}

/** Changed addresses (see plan.ts) begin so, and no other address does. */
const mark = Buffer.from('"10.')
const arrivals: Record<string, number> = {}
const push = IncomingMessage.prototype.push
IncomingMessage.prototype.push = function (this: IncomingMessage, piece: unknown, ...rest: never[]): boolean {
  if (Buffer.isBuffer(piece) && typeof this.statusCode === 'number') noteArrival(piece)
  return push.call(this, piece, ...rest)
}

function noteArrival(piece: Buffer): void {
  const now = Number(process.hrtime.bigint()) / 1e6
  for (let at = piece.indexOf(mark); at >= 0; at = piece.indexOf(mark, at + 1)) {
    const end = piece.indexOf('"', at + 1)
    if (end > 0) arrivals[piece.toString('latin1', at + 1, end)] ??= now
  }
}

process.on('SIGCONT', () => {
  globalThis.gc?.()
  writeFileSync(`${process.env['ISTHMUS_BENCH_PROBE'] ?? ''}.collected`, '')
})
process.on('SIGURG', () => {
  const file = process.env['ISTHMUS_BENCH_PROBE'] ?? ''
  const milliseconds = (nanoseconds: number): number => nanoseconds / 1e6
  const loop = { p50: milliseconds(delay.percentile(50)), p99: milliseconds(delay.percentile(99)), max: milliseconds(delay.max) }
  const heap = { allocatedMB: (allocated + allocatedBytes()) / 1e6, usedMB: process.memoryUsage().heapUsed / 1e6 }
  writeFileSync(`${file}.next`, JSON.stringify({ gc: summarise(pauses), loop, heap, arrivals }))
  renameSync(`${file}.next`, file)
  pauses = []
  allocated = 0
  delay.reset()
})
