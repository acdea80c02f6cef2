import t from 'tap'
import { countProbe, newHealthCount } from '../src/health-count.ts'
import { makeLog } from '../src/log.ts'
import { backOffMs, renewDelayMs } from '../src/time.ts'

void t.test('health follows rise and fall counts, and the first pass of all at once', async test => {
  const limits = { rise: 2, fall: 3 }
  const cases: [probes: string, healthy: string][] = [
    ['+', 'y'],
    ['---+', 'nnny'],
    ['+--+---', 'yyyyyyn'],
    ['+---+-++', 'yyynnnny'],
    ['+---++', 'yyynny'],
  ]
  for (const [probes, expected] of cases) {
    let count = newHealthCount
    const seen = Array.from(probes, probe => {
      count = countProbe(count, probe === '+', limits)
      return count.isHealthy ? 'y' : 'n'
    })
    test.equal(seen.join(''), expected, probes)
  }
})

void t.test('back-off doubles from 0.5 s to 30 s, with chance', async test => {
  test.strictSame(
    [0, 1, 2, 3, 10, 1000].map(failures => backOffMs(failures, 1)),
    [500, 1000, 2000, 4000, 30_000, 30_000],
  )
  test.equal(backOffMs(0, 0), 500)
  test.equal(backOffMs(5, 0), 8000)
})

void t.test('renewals are spread by 20 percent', async test => {
  test.strictSame(
    [0, 0.5, 1].map(random => Math.round(renewDelayMs(10, random))),
    [8000, 10_000, 12_000],
  )
})

void t.test('log lines are text for people and JSON for machines', async test => {
  const lines: string[] = []
  const write = (line: string): number => lines.push(line)
  makeLog('text', write, () => 0)('warn', 'not registered', { status: 0, error: 'no answer', id: 'vm' })
  makeLog('json', write, () => 0)('info', 'registered', { epoch: 7 })
  test.strictSame(lines, [
    '1970-01-01T00:00:00.000Z WARN  not registered status=0 error="no answer" id=vm\n',
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"registered","epoch":7}\n',
  ])
})
