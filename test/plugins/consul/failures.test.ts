import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { consulPlugin } from '../../../plugins/consul/index.ts'
import type { ConsulSettings } from '../../../plugins/consul/settings.ts'
import type { DiscoverySource } from '../../../src/discovery/contract.ts'
import { makeGiven, makeWanted, type Recording, type Run, type RunOptions, startRun } from '../../contract/harness.ts'
import { makeTestClock, type TestClock } from '../../contract/test-clock.ts'
import { entry } from './entries.ts'
import { catalogPath, FakeConsul, healthPath, type SeenRequest } from './fake-consul.ts'

interface Given {
  readonly consul: FakeConsul
  readonly source: DiscoverySource
  readonly clock: TestClock
  begin(options?: RunOptions): Run
}

/** A fake Consul with `web` (two instances) and `api`, and a source of it on a clock that stands still. */
async function setUp(t: Test, settings: ConsulSettings = {}): Promise<Given> {
  const consul = await FakeConsul.start()
  consul.set('web', at('10.0.0.1'), at('10.0.0.2'))
  consul.set('api', at('10.0.1.1'))
  const clock = makeTestClock()
  const { source } = consulPlugin.create({ address: consul.address, ...settings }, makeGiven())
  const runs: Run[] = []
  t.teardown(async () => {
    for (const run of runs) await run.stop()
    await consul.stop()
  })
  return {
    consul,
    source,
    clock,
    begin(options) {
      const run = startRun(source, { clock, ...options })
      runs.push(run)
      return run
    },
  }
}

/** An instance at port 80 of an address, which is its id too. */
const at = (Address: string): unknown => entry({ ID: Address, Address, Port: 80 })
const serviceOf = ({ path }: SeenRequest): string | undefined => (path === catalogPath ? undefined : path.slice(healthPath('').length))
const blocks = (request: SeenRequest): boolean => request.query.has('index')
/** Three queries block: the catalog's, after its pause, and one per service. */
const untilQuiet = ({ consul, clock }: Given): Promise<void> => advanceUntil(clock, () => consul.blocked.filter(blocks).length === 3, 20)
const html = { 'Content-Type': 'text/html' }
const plain = { 'Content-Type': 'text/plain' }

const both = { 'default/web': ['10.0.0.1:80', '10.0.0.2:80'], 'default/api': ['10.0.1.1:80'] }
const synced = (recording: Recording): Promise<void> => recording.until(() => recording.syncs > 0)
const errors = (recording: Recording, code: string) => recording.reports.filter(report => !report.ok && report.code === code)
/** Moves the clock on, again and again, until the condition holds. */
async function advanceUntil(clock: TestClock, condition: () => boolean, stepMs = 1000): Promise<void> {
  while (!condition()) {
    clock.advance(stepMs)
    await sleep(1)
  }
}

/** Moves the clock on until the service has exactly these endpoints. */
const served = (clock: TestClock, recording: Recording, service: string, ...expected: string[]): Promise<void> =>
  advanceUntil(clock, () => (recording.view()[service] ?? []).join() === expected.join(), 20)

for (const [what, odd, code] of [
  ['HTML', { text: '<html>portal</html>', headers: html }, 'consul-answer'],
  ['JSON null', { json: null }, 'consul-answer'],
  ['JSON that is none', { text: '{"web":' }, 'consul-answer'],
  ['500', { status: 500, text: 'No cluster leader', headers: plain }, 'consul-status'],
  ['429', { status: 429, text: 'slow down', headers: { ...plain, 'retry-after': '2' } }, 'consul-rate-limit'],
  ['403', { status: 403, text: 'ACL not found', headers: plain }, 'consul-acl'],
  ['index 0', { headers: { 'x-consul-index': '0' } }, 'consul-index'],
  ['a connection that ends within the answer', { cut: true }, 'consul-unreachable'],
] as const) {
  t.test(`${what} on everything takes nothing away, names itself, and is got over`, async t => {
    const { consul, clock, begin } = await setUp(t)
    const { recording } = begin()
    await synced(recording)
    const emissions = recording.emissions.length
    consul.answer(() => odd)
    await advanceUntil(clock, () => errors(recording, code).some(({ scope }: { scope?: string }) => scope === undefined))
    await advanceUntil(clock, () => errors(recording, code).some(({ scope }: { scope?: string }) => scope === 'web'))
    t.same(recording.view(), both)
    t.equal(recording.emissions.length, emissions)
    consul.answer()
    consul.set('web', at('10.0.0.3'))
    await advanceUntil(clock, () => recording.view()['default/web']?.join() === '10.0.0.3:80')
    t.same(recording.view(), { ...both, 'default/web': ['10.0.0.3:80'] })
  })
}

t.test('an index that goes back is asked again once at once, then less and less often (2.2 rule 3)', async t => {
  const given = await setUp(t)
  const { consul, clock, begin } = given
  const { recording } = begin()
  await synced(recording)
  await untilQuiet(given)
  consul.answer(request => (blocks(request) ? { headers: { 'X-Consul-Index': '5' } } : undefined))
  consul.set('web', at('10.0.0.1'), at('10.0.0.2'))
  await recording.until(() => errors(recording, 'consul-index').length > 0)
  const before = consul.requests.length
  let advanced = 0
  while (advanced < 60_000) {
    clock.advance(500)
    advanced += 500
    await sleep(1)
  }
  const asked = consul.requests.length - before
  t.ok(asked > 3 && asked < 120, `${String(asked)} requests of three queries in a minute`)
  t.notOk(
    consul.requests.some(({ query }) => query.get('index') === '0'),
    'index 0 is never sent',
  )
  t.same(recording.view(), both)
})

t.test('a Consul that answers every blocking query at once, with nothing new, is polled after a while (rule 7)', async t => {
  const given = await setUp(t, { watches: { readsPerSecond: 10, pollSeconds: 15 } })
  const { consul, clock, begin } = given
  const { recording } = begin()
  await synced(recording)
  await untilQuiet(given)
  let index = 1000
  consul.answer(({ path }) => (path === catalogPath ? { hang: true } : { headers: { 'X-Consul-Index': String(++index) } }))
  const readsIn = async (ms: number): Promise<number> => {
    const before = consul.of(healthPath('web')).length
    for (let gone = 0; gone < ms; gone += 100) {
      // Both services wait for their turn: all that was asked is answered.
      await clock.untilSleeping(2)
      clock.advance(100)
    }
    return consul.of(healthPath('web')).length - before
  }
  const atFirst = await readsIn(1000)
  t.ok(atFirst > 6 && atFirst < 15, `${String(atFirst)} reads in the first second`)
  await readsIn(5000)
  const later = await readsIn(60_000)
  t.ok(later >= 3 && later <= 5, `${String(later)} reads in a minute`)
  consul.health('web', [at('10.0.0.7')])
  await served(clock, recording, 'default/web', '10.0.0.7:80')
})

t.test('answers that ACLs filter all of a sudden add and update, and take nothing away (rule 2)', async t => {
  const given = await setUp(t)
  const { consul, clock, begin } = given
  const { recording } = begin()
  await synced(recording)
  await untilQuiet(given)
  const notice = () => recording.reports.reduce((last, report) => (report.ok && report.notice !== undefined ? report.notice : last), '')
  consul.headers = { 'X-Consul-Results-Filtered-By-ACLs': 'true' }
  consul.health('web', [at('10.0.0.1'), at('10.0.0.3')])
  consul.health('api', [])
  consul.unlist('web', 'api')
  await served(clock, recording, 'default/web', '10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80')
  await advanceUntil(clock, () => /all services.*all instances of 2 services/.test(notice()), 20)
  t.same(recording.view()['default/api'], both['default/api'])
  consul.headers = {}
  consul.set('web', at('10.0.0.3'))
  consul.set('api')
  await served(clock, recording, 'default/web', '10.0.0.3:80')
  await served(clock, recording, 'default/api')
  await advanceUntil(clock, () => notice() === '', 20)
})

t.test('a Consul without a leader at the start is no sync, and its empty catalog takes nothing away', async t => {
  const { consul, clock, begin } = await setUp(t)
  const first = begin()
  await synced(first.recording)
  await first.stop()
  const headers = { 'X-Consul-KnownLeader': 'false' }
  consul.answer(({ path }) => ({ headers, json: path === catalogPath ? {} : [] }))
  const { recording } = begin({ recording: first.recording })
  const syncs = recording.syncs
  const before = consul.requests.length
  await advanceUntil(clock, () => consul.requests.length > before + 10)
  t.equal(recording.syncs, syncs)
  t.same(recording.view(), both)
  consul.answer()
  await advanceUntil(clock, () => recording.syncs > syncs)
  t.same(recording.view(), both)
})

t.test('a service whose reads fail does not hold up the first sync for ever, and comes when it can', async t => {
  const { consul, clock, begin } = await setUp(t)
  consul.answer(request => (serviceOf(request) === 'api' ? { status: 500, text: 'rpc error', headers: plain } : undefined))
  const { recording } = begin()
  await recording.untilServed('default/web', '10.0.0.1:80', '10.0.0.2:80')
  t.equal(recording.syncs, 0)
  await advanceUntil(clock, () => recording.syncs > 0)
  t.ok(errors(recording, 'consul-status').length >= 3)
  consul.answer()
  await advanceUntil(clock, () => recording.view()['default/api'] !== undefined)
  t.match(
    recording.reports.findLast(({ scope }) => scope === 'api'),
    { ok: true },
  )
})

t.test('a service that the catalog lists no more is asked at once, however long its query would block', async t => {
  const given = await setUp(t)
  const { consul, clock, begin } = given
  const { recording } = begin()
  await synced(recording)
  await untilQuiet(given)
  consul.answer(request => (serviceOf(request) === 'api' && blocks(request) ? { hang: true } : undefined))
  const asked = consul.of(healthPath('api')).length
  consul.set('api')
  await served(clock, recording, 'default/api')
  t.ok(consul.of(healthPath('api')).length > asked)
  consul.answer()
  consul.set('api', at('10.0.1.5'))
  await served(clock, recording, 'default/api', '10.0.1.5:80')
  t.pass('and it may come back')
})

t.test('a service that answers empty while the catalog lists it is suspect, until the catalog agrees (2.3)', async t => {
  const { consul, clock, begin } = await setUp(t)
  const { recording } = begin()
  await synced(recording)
  consul.health('web', [])
  const endpoints = () => [...recording.groups.values()].find(group => group.service === 'default/web')?.endpoints ?? []
  await advanceUntil(clock, () => endpoints().every(one => one.presence === 'suspect'), 20)
  t.equal(endpoints().length, 2)
  consul.unlist('web')
  await served(clock, recording, 'default/web')
  t.same(recording.view(), { 'default/api': ['10.0.1.1:80'] })
})

t.test('an answer that takes most of a service away is believed only of the leader (rule 8)', async t => {
  const { consul, clock, begin } = await setUp(t)
  const five = [1, 2, 3, 4, 5].map(last => at(`10.0.2.${String(last)}`))
  consul.set('big', ...five)
  const { recording } = begin()
  await synced(recording)
  const whole = recording.view()['default/big']
  let confirms = 0
  consul.answer(request => {
    if (serviceOf(request) !== 'big' || !request.query.has('consistent')) return undefined
    confirms++
    return { status: 500, text: 'No cluster leader', headers: plain }
  })
  consul.set('big', ...five.slice(0, 1))
  await advanceUntil(clock, () => confirms > 0)
  await advanceUntil(clock, () => confirms > 1)
  t.same(recording.view()['default/big'], whole)
  consul.answer()
  await advanceUntil(clock, () => recording.view()['default/big']?.length === 1)
  t.ok(consul.requests.some(({ query }) => query.has('consistent') && !query.has('stale')))
})

t.test('services beyond the connections are polled over few connections, those that routes want are followed (2.8)', async t => {
  const { consul, clock, begin } = await setUp(t, { watches: { maxConnections: 8, pollSeconds: 15 } })
  for (let last = 0; last < 60; last++) consul.set(`s${String(last)}`, at(`10.1.0.${String(last)}`))
  const { recording } = begin({ wanted: makeWanted('default/web', 'default/s59') })
  await advanceUntil(clock, () => recording.syncs > 0, 10)
  t.equal(Object.keys(recording.view()).length, 62)
  t.ok(consul.mostConnections <= 8, `${String(consul.mostConnections)} connections`)
  t.match(
    recording.reports.findLast(report => report.ok && 'notice' in report),
    { notice: /58 services are beyond watches\.maxConnections/ },
  )
  consul.set('s59', at('10.1.1.59'))
  await served(clock, recording, 'default/s59', '10.1.1.59:80')
  consul.set('s30', at('10.1.1.30'))
  await advanceUntil(clock, () => recording.view()['default/s30']?.join() === '10.1.1.30:80')
  t.ok(consul.mostConnections <= 8)
})

t.test('at the abort all connections end, hanging ones too, and nothing is said any more', async t => {
  const given = await setUp(t)
  const { consul, begin } = given
  const run = begin()
  await synced(run.recording)
  await untilQuiet(given)
  consul.answer(() => ({ hang: true }))
  const said = run.recording.reports.length + run.recording.emissions.length
  await run.stop()
  await consul.until(() => consul.connections === 0)
  t.equal(run.recording.reports.length + run.recording.emissions.length, said)
})

t.test('an answer that never comes leaves the other services alone', async t => {
  const { consul, clock, begin } = await setUp(t)
  consul.answer(request => (serviceOf(request) === 'api' ? { hang: true } : undefined))
  const { recording } = begin()
  await served(clock, recording, 'default/web', '10.0.0.1:80', '10.0.0.2:80')
  consul.set('web', at('10.0.0.3'))
  await served(clock, recording, 'default/web', '10.0.0.3:80')
  t.equal(recording.syncs, 0)
})

t.test('bad settings are found when the source is made', async t => {
  for (const [settings, text] of [
    [{ address: 'ftp://consul' }, /address: "ftp:\/\/consul" is neither http nor https/],
    [{ address: 'http://' }, /is no address of a Consul agent/],
    [{ address: 'https://consul', tls: { caFile: '/nowhere/ca.pem' } }, /tls\.caFile: .*nowhere/],
  ] as const) {
    t.throws(() => consulPlugin.create(settings, makeGiven()), { code: 'settings-invalid', message: text })
  }
})
