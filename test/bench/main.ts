/**
 * `npm run bench:sources`: how fast a changed endpoint reaches an xDS client, and what it costs. One gateway process, one ADS Delta stream; every run
 * of a case starts afresh and is bounded in time. Every figure shown is the median of the case's runs.
 */
import { parseArgs } from 'node:util'
import { type BenchCase, type BenchResult, runCase } from './run-case.ts'
import { median, type Summary } from './summary.ts'

const usage = `npm run bench:sources -- [options]
  --case NAME,…   cases to run, e.g. vm-1000x100 or all of a source, e.g. vm (--only is the same)
  --changes N     changes in each run (500)
  --repeat N      runs of each case (1)
  --quick         100 changes, and only cases of at most 10,000 endpoints
  --json          prints one JSON object per run, with everything that was measured
  --markdown      prints the table as Markdown
`

const { values } = parseArgs({
  options: {
    case: { type: 'string' },
    only: { type: 'string' },
    changes: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const changes = positive('--changes', values.changes ?? (values.quick ? '100' : '500'))
const repeat = positive('--repeat', values.repeat)

const all: readonly BenchCase[] = [
  { source: 'vm', services: 1000, endpoints: 100, changes, perSecond: 50 },
  { source: 'vm', services: 1000, endpoints: 10, changes, perSecond: 50 },
  { source: 'vm', services: 10_000, endpoints: 10, changes, perSecond: 50 },
  { source: 'file', services: 100, endpoints: 10, changes, perSecond: 20 },
  { source: 'file', services: 1000, endpoints: 100, changes, perSecond: 10 },
  { source: 'consul', services: 1000, endpoints: 10, changes, perSecond: 50 },
  { source: 'consul', services: 1000, endpoints: 100, changes, perSecond: 50 },
  { source: 'kubernetes', services: 1000, endpoints: 100, changes, perSecond: 50 },
  { source: 'kubernetes', services: 1000, endpoints: 100, slices: 10, changes, perSecond: 50 },
]

const nameOf = ({ source, services, endpoints, slices = 1 }: BenchCase): string =>
  `${source}-${String(services)}x${slices === 1 ? '' : `${String(slices)}x`}${String(endpoints / slices)}`

/** Throws for a name that is no case's. */
function chosen(): readonly BenchCase[] {
  const asked = [values.case, values.only].flatMap(list => list?.split(',') ?? [])
  for (const name of asked) {
    if (!all.some(one => nameOf(one) === name || one.source === name))
      throw new Error(`--case ${name}: there is no such case; there are ${all.map(nameOf).join(', ')}`)
  }
  const wanted = asked.length === 0 ? all : all.filter(one => asked.includes(nameOf(one)) || asked.includes(one.source))
  return values.quick ? wanted.filter(one => one.services * one.endpoints <= 10_000) : wanted
}

function positive(option: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${option} ${text}: must be an integer of at least 1`)
  return number
}

type Column = readonly [head: string, digits: number, ...parts: ((result: BenchResult) => number)[]]

const quantiles = (of: (result: BenchResult) => Summary): ((result: BenchResult) => number)[] =>
  (['p50', 'p90', 'p99', 'max'] as const).map(part => result => of(result)[part])

const columns: readonly Column[] = [
  ['sent → bytes p50 / p90 / p99 / max ms', 2, ...quantiles(result => result.sent)],
  ['answer → bytes p50 / p90 / p99 / max ms', 2, ...quantiles(result => result.answered)],
  ['arrival → bytes p50 / p90 / p99 / max ms', 2, ...quantiles(result => result.arrived)],
  ['missed', 0, result => result.missed],
  ['CPU ms/change', 2, result => result.cpuMs],
  ['idle CPU %', 2, result => result.idlePercent],
  ['GC count / p50 / max ms', 1, ({ probe }) => probe.gc.count, ({ probe }) => probe.gc.p50, ({ probe }) => probe.gc.max],
  ['loop delay p50 / p99 / max ms', 1, ({ probe }) => probe.loop.p50, ({ probe }) => probe.loop.p99, ({ probe }) => probe.loop.max],
  ['bytes/change', 0, result => result.bytesPerChange],
  [
    'RSS at start / loaded / collected / most MB',
    0,
    ({ memory }) => memory.start,
    ({ memory }) => memory.asItIs,
    ({ memory }) => memory.settled,
    ({ memory }) => memory.most,
  ],
  ['ready / first sync s', 2, result => result.readySeconds, result => result.syncSeconds],
  ['longest stall until then ms', 0, result => result.startStall],
  ['steal %', 1, result => result.stealPercent],
]

function row(given: BenchCase, results: readonly BenchResult[]): readonly string[] {
  const cells = columns.map(([, digits, ...parts]) => parts.map(part => median(results.map(part)).toFixed(digits)).join(' / '))
  return [nameOf(given), ...cells]
}

function print(cells: readonly string[], heads: readonly string[]): void {
  const line = values.markdown ? `| ${cells.join(' | ')} |` : cells.map((cell, i) => cell.padEnd(heads[i]?.length ?? 0)).join('  ')
  process.stdout.write(`${line}\n`)
}

async function main(): Promise<void> {
  const heads = ['case', ...columns.map(([head]) => head)]
  const cases = chosen()
  if (!values.json) print(heads, heads)
  if (values.markdown)
    print(
      heads.map(() => '---'),
      heads,
    )
  for (const one of cases) {
    const results: BenchResult[] = []
    for (let run = 1; run <= repeat; run++) {
      const result = await runCase(one)
      results.push(result)
      if (values.json) process.stdout.write(`${JSON.stringify({ case: nameOf(one), run, ...one, ...result })}\n`)
    }
    if (!values.json) print(row(one, results), heads)
  }
}

if (values.help) process.stdout.write(usage)
else await main()
