/**
 * Loaded into the gateway of a bench. SIGCONT collects all garbage, so that memory is compared and not the collector's mood (performance.md
 * P6); SIGURG writes what happened since the last one to the file named by ISTHMUS_BENCH_PROBE: garbage collection and event-loop delay, ms.
 */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { summarise } from './summary.ts'

let pauses: number[] = []
const observer = new PerformanceObserver(list => {
  for (const entry of list.getEntries()) pauses.push(entry.duration)
})
observer.observe({ entryTypes: ['gc'] })
const delay = monitorEventLoopDelay({ resolution: 5 })
delay.enable()

process.on('SIGCONT', () => globalThis.gc?.())
process.on('SIGURG', () => {
  const file = process.env['ISTHMUS_BENCH_PROBE'] ?? ''
  const milliseconds = (nanoseconds: number): number => nanoseconds / 1e6
  const loop = { p50: milliseconds(delay.percentile(50)), p99: milliseconds(delay.percentile(99)), max: milliseconds(delay.max) }
  writeFileSync(`${file}.next`, JSON.stringify({ gc: summarise(pauses), loop }))
  renameSync(`${file}.next`, file)
  pauses = []
  delay.reset()
})
