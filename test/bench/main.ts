/**
 * `npm run bench`: how fast a changed endpoint reaches an xDS client, and what it costs. One gateway process, one ADS Delta stream; every case
 * starts afresh and is bounded in time. `-- --only vm,file` picks sources, `-- --changes N` the number of changes, `-- --markdown` the form.
 */
import { parseArgs } from 'node:util'
import { type BenchCase, type BenchResult, runCase } from './run-case.ts'
import type { Summary } from './summary.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, changes: { type: 'string' }, markdown: { type: 'boolean' } } })
const changes = Number(values.changes ?? 500)
const cases: readonly BenchCase[] = [
  { source: 'vm', services: 1000, endpoints: 100, changes, perSecond: 50 },
  { source: 'vm', services: 1000, endpoints: 10, changes, perSecond: 50 },
  { source: 'vm', services: 10_000, endpoints: 10, changes, perSecond: 50 },
  { source: 'file', services: 100, endpoints: 10, changes, perSecond: 20 },
  { source: 'file', services: 1000, endpoints: 100, changes, perSecond: 10 },
  { source: 'consul', services: 1000, endpoints: 10, changes, perSecond: 50 },
  { source: 'consul', services: 1000, endpoints: 100, changes, perSecond: 50 },
]
const only = values.only?.split(',')

const columns = [
  'source',
  'services × endpoints',
  'sent → bytes p50 / p99 ms',
  'answer → bytes p50 / p99 ms',
  'missed',
  'CPU ms/change',
  'bytes/change',
  'RSS collected / as it is / most MB',
  'first sync s',
]

function pair(summary: Summary): string {
  return `${summary.p50.toFixed(2)} / ${summary.p99.toFixed(2)}`
}

function row(given: BenchCase, result: BenchResult): readonly string[] {
  return [
    given.source,
    `${String(given.services)} × ${String(given.endpoints)}`,
    pair(result.sent),
    pair(result.answered),
    String(result.missed),
    result.cpuMs.toFixed(2),
    result.bytesPerChange.toFixed(0),
    [result.memory.settled, result.memory.asItIs, result.memory.most].map(megabytes => megabytes.toFixed(0)).join(' / '),
    result.syncSeconds.toFixed(2),
  ]
}

function print(cells: readonly string[]): void {
  const line =
    values.markdown === true ? `| ${cells.join(' | ')} |` : cells.map((cell, i) => cell.padEnd(columns[i]?.length ?? 0)).join('  ')
  process.stdout.write(`${line}\n`)
}

print(columns)
if (values.markdown === true) print(columns.map(() => '---'))
for (const one of cases) if (only === undefined || only.includes(one.source)) print(row(one, await runCase(one)))
