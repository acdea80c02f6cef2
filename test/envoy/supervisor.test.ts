import { existsSync } from 'node:fs'
import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { EnvoySupervisor, type SupervisorGiven } from '../../src/envoy/supervisor.ts'
import { freePort, type Teardown, temporaryFolder } from '../tools/local.ts'
import { ManualClock } from './manual-clock.ts'

/**
 * A stand-in for Envoy, run by this Node: it reads what it shall do from its bootstrap, answers as an admin page without connections,
 * and logs each call, so that the test reads everything from the supervisor's log.
 */
const standIn = `#!${process.execPath}
const fs = require('node:fs'), http = require('node:http')
const file = process.argv[process.argv.indexOf('-c') + 1]
const plan = JSON.parse(fs.readFileSync(file, 'utf8'))
const log = (level, text) => fs.writeSync(2, '[' + level + '][fake] ' + text + '\\n')
for (const line of plan.lines ?? []) fs.writeSync(2, line + '\\n')
if (plan.exit !== undefined) process.exit(plan.exit)
if (plan.deaf) process.on('SIGTERM', () => log('info', 'SIGTERM ignored'))
else process.on('SIGTERM', () => { log('info', 'SIGTERM'); process.exit(0) })
http.createServer((request, response) => {
  log('info', request.method + ' ' + request.url.split('?')[0])
  if (plan.mute) return
  response.end(request.method === 'POST' ? 'OK' : JSON.stringify({ stats: [{ name: 'listener.x.downstream_cx_active', value: 0 }] }))
}).listen(plan.port, '127.0.0.1', () => log('info', 'up ' + file + ' ' + process.argv.slice(2).join(' ')))
`

interface Plan {
  readonly lines?: readonly string[]
  readonly exit?: number
  readonly deaf?: boolean
  readonly mute?: boolean
}

/** The supervisor of a stand-in, with every log entry as `level text`. */
async function supervised(t: Teardown, plan: Plan, change: Partial<SupervisorGiven> = {}) {
  const path = join(await temporaryFolder(t), 'envoy')
  await writeFile(path, standIn)
  await chmod(path, 0o755)
  const port = await freePort()
  const clock = new ManualClock()
  const entries: { readonly level: string; readonly text: string; readonly data: Readonly<Record<string, unknown>> }[] = []
  let tell: (() => void)[] = []
  const to = (level: string) => (data: object, text: string) => {
    entries.push({ level, text, data: data as Record<string, unknown> })
    const waiting = tell
    tell = []
    for (const one of waiting) one()
  }
  const log = { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') }
  const supervisor = new EnvoySupervisor({
    ...{ path, bootstrap: { ...plan, port }, adminPort: port, quietSeconds: 1, drainSeconds: 30, clock, random: () => 1, log },
    ...change,
  })
  const logged = async (pattern: RegExp, count = 1) => {
    for (;;) {
      const found = entries.filter(entry => pattern.test(entry.text))
      const last = found[count - 1]
      if (last !== undefined) return last
      await new Promise<void>(resolve => tell.push(resolve))
    }
  }
  return { supervisor, clock, entries, logged }
}

t.test('a program that is missing or cannot be run is named, with what to do', async t => {
  const own = await temporaryFolder(t)
  const { TMPDIR } = process.env
  process.env['TMPDIR'] = own
  t.teardown(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = TMPDIR
  })
  for (const path of ['/nowhere/envoy', 'isthmus-no-such-envoy', own]) {
    const { supervisor } = await supervised(t, {}, { path })
    await t.rejects(supervisor.start(), { code: 'tool-missing', message: new RegExp(`"${path}".*envoy\\.path`) })
    t.equal(supervisor.status().state, 'stopped')
    t.same(
      (await readdir(own)).filter(name => name.startsWith('isthmus-envoy-')),
      [],
      'no file is left',
    )
    await supervisor.stop()
  }
})

t.test('it is given its bootstrap and drain time, and what it prints is logged at its level', async t => {
  const lines = ['[critical][main] boom', '[warning][config] careful [here] too', '[debug][http] detail', 'PARSE ERROR: no such flag']
  const { supervisor, entries, logged } = await supervised(t, { lines })
  await supervisor.start()
  const up = await logged(/^up /)
  t.match(up.text, /--disable-hot-restart --drain-time-s 30 --log-level warning/)
  t.equal(supervisor.status().state, 'running')
  const printed = entries.filter(entry => 'component' in entry.data).map(({ level, text, data }) => [level, data['component'], text])
  t.same(printed.slice(0, 4), [
    ['error', 'main', 'boom'],
    ['warn', 'config', 'careful [here] too'],
    ['debug', 'http', 'detail'],
    ['warn', '', 'PARSE ERROR: no such flag'],
  ])
  process.kill(supervisor.status().pid ?? 0, 'SIGKILL')
  await logged(/does not run/)
  await supervisor.stop()
})

t.test('one that dies is started again after growing delays, and stopping does not wait for them', async t => {
  const { supervisor, clock, logged } = await supervised(t, { exit: 3 })
  await supervisor.start()
  for (const [count, delayMs] of [500, 1000, 2000].entries()) {
    t.match((await logged(/does not run/, count + 1)).data, { lastExit: 'code 3', delayMs })
    await clock.untilAsleep(delayMs)
    t.match(supervisor.status(), { state: 'waiting', pid: undefined, restarts: count, lastExit: 'code 3' })
    clock.advance(delayMs)
  }
  await clock.untilAsleep(4000)
  await supervisor.stop()
  t.equal(supervisor.status().state, 'stopped')
})

t.test('the end of one that ran well for a while is not one more failure in a row', async t => {
  const { supervisor, clock, logged } = await supervised(t, {})
  await supervisor.start()
  for (const [count, runMs, delayMs] of [
    [1, 0, 500],
    [2, 0, 1000],
    [3, 10_000, 500],
  ] as const) {
    await logged(/^up /, count)
    clock.advance(runMs)
    process.kill(supervisor.status().pid ?? 0, 'SIGKILL')
    t.match((await logged(/does not run/, count)).data, { lastExit: 'SIGKILL', delayMs })
    await clock.untilAsleep(delayMs)
    if (count < 3) clock.advance(delayMs)
  }
  await supervisor.stop()
})

t.test('stopping drains it first, then ends it, and leaves no file', async t => {
  const { supervisor, clock, entries, logged } = await supervised(t, {})
  await supervisor.start()
  const file = (await logged(/^up /)).text.split(' ')[1] ?? ''
  t.ok(existsSync(file))
  const stopped = supervisor.stop()
  t.equal(supervisor.stop(), stopped, 'a second call waits for the first')
  for (let polls = 0; polls < 5; polls++) {
    await logged(/^GET \/stats/, polls + 1)
    if (polls === 4) break
    await clock.untilAsleep(250)
    clock.advance(250)
  }
  await stopped
  const calls = entries.map(entry => entry.text).filter(text => /^(POST|GET|SIGTERM)/.test(text))
  t.same(calls, ['POST /healthcheck/fail', 'POST /drain_listeners', ...Array<string>(5).fill('GET /stats'), 'SIGTERM'])
  t.match(supervisor.status(), { state: 'stopped', lastExit: 'code 0', restarts: 0 })
  t.notOk(existsSync(file))
})

t.test('one whose admin page does not answer is stopped without a drain, and killed if it does not end', async t => {
  const { supervisor, clock, logged } = await supervised(t, { mute: true, deaf: true })
  await supervisor.start()
  await logged(/^up /)
  const stopped = supervisor.stop()
  await logged(/^POST/)
  clock.advance(3000)
  t.equal((await logged(/could not be drained/)).level, 'warn')
  await logged(/SIGTERM ignored/)
  await clock.untilAsleep(5000)
  clock.advance(5000)
  await stopped
  t.equal((await logged(/is killed/)).level, 'warn')
  t.equal(supervisor.status().lastExit, 'SIGKILL')
})

t.test('a drain time of 0 ends it at once', async t => {
  const { supervisor, entries, logged } = await supervised(t, {}, { drainSeconds: 0 })
  await supervisor.start()
  await logged(/^up /)
  await supervisor.stop()
  t.same(
    entries.map(entry => entry.text).filter(text => /^(POST|GET|SIGTERM)/.test(text)),
    ['SIGTERM'],
  )
})
