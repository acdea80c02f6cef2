import t from 'tap'
import type { Clock, DiscoverySource, SourceContext } from '../../src/discovery/contract.ts'
import { SourceHost } from '../../src/discovery/host.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import type { PoolGuards, SourceGuards } from '../../src/model/pool-rule.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { held } from '../../src/model/held.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { makeTestClock } from '../contract/test-clock.ts'

const web = serviceKey('shop', 'web')
const silent = { debug() {}, info() {}, warn() {}, error() {} }

function group(id: string, ...addresses: string[]): EndpointGroup {
  return { id, service: web, endpoints: addresses.map(address => makeEndpoint({ address, port: 80, id: address })) }
}

/** A source driven by the test: every run waits in `runs` until it is told how to end. */
function scripted() {
  const runs: { context: SourceContext; fail(error: Error): void }[] = []
  let started: (() => void) | undefined
  const source: DiscoverySource = {
    run: context =>
      new Promise((resolve, reject) => {
        context.signal.addEventListener('abort', () => resolve())
        runs.push({ context, fail: reject })
        started?.()
      }),
  }
  return {
    source,
    async run(number: number) {
      while (runs.length < number) await new Promise<void>(resolve => (started = resolve))
      const run = runs[number - 1]
      if (run === undefined) throw new Error('no such run')
      return run
    },
  }
}

function hosted(source: DiscoverySource, guards: SourceGuards = {}) {
  const sleeps: number[] = []
  let now = 0
  // Delays pass at once; nobody waits for an age.
  const sleep: Clock['sleep'] = (ms, signal) => {
    if (ms > 30_000) return new Promise(resolve => signal?.addEventListener('abort', () => resolve()))
    sleeps.push(ms)
    return Promise.resolve()
  }
  const clock: Clock = { now: () => now, wall: () => now, sleep }
  const table = new EndpointTable(() => undefined)
  let synced = 0
  const wanted = { has: () => false, keys: () => [], onChange: () => () => undefined }
  const host = new SourceHost({ sink: table, wanted, clock, random: () => 1 }, () => synced++)
  host.add({ name: 'dc1', type: 'consul', instance: { source, maxQuietSeconds: 60 }, log: silent, guards })
  const served = () => table.pool(web)?.endpoints.map(endpoint => endpoint.address) ?? []
  return { host, table, sleeps, served, syncs: () => synced, advance: (ms: number) => (now += ms) }
}

t.test('a failed run keeps the last good endpoints, says so, and is restarted after a growing delay', async t => {
  const { source, run } = scripted()
  const { host, served, sleeps } = hosted(source)
  const first = await run(1)
  t.equal(host.statuses()[0]?.state, 'syncing')
  first.context.emit([group('web', '10.0.0.1')])
  first.context.synced()
  t.equal(host.statuses()[0]?.state, 'live')
  first.fail(new Error('no route to host'))
  const second = await run(2)
  t.same(served(), ['10.0.0.1'])
  t.match(host.statuses()[0], { state: 'stale', error: { code: 'source-failed', text: 'no route to host', count: 1 }, restarts: 1 })
  second.fail(new Error('again'))
  await run(3)
  t.same(sleeps, [500, 1000])
  await host.stop()
})

t.test('what a run emits after it ended is dropped (fencing)', async t => {
  const { source, run } = scripted()
  const { host, served } = hosted(source)
  const first = await run(1)
  first.context.emit([group('web', '10.0.0.1')])
  first.fail(new Error('gone'))
  await run(2)
  first.context.emit([group('web')])
  first.context.synced()
  t.same(served(), ['10.0.0.1'])
  await host.stop()
})

t.test('after a resync, groups that were not repeated are pruned, and not before (style.md, principle 6)', async t => {
  const { source, run } = scripted()
  const { host, served, syncs } = hosted(source)
  const first = await run(1)
  first.context.emit([group('a', '10.0.0.1'), group('b', '10.0.0.2')])
  first.context.synced()
  t.ok(host.resync('dc1'))
  const second = await run(2)
  second.context.emit([group('b', '10.0.0.2')])
  t.same(served(), ['10.0.0.1', '10.0.0.2'])
  second.context.synced()
  t.same(served(), ['10.0.0.2'])
  t.equal(syncs(), 1, 'the first sync is told once')
  t.notOk(host.resync('nobody'))
  await host.stop()
})

t.test('an error of one part leaves the source live; its own recovery clears it; silence shows as lagging', async t => {
  const { source, run } = scripted()
  const { host, advance } = hosted(source)
  const { context } = await run(1)
  context.synced()
  context.report({ ok: false, code: 'http-500', error: 'service web: 500', scope: 'web' })
  t.match(host.statuses()[0], { state: 'live', error: { code: 'http-500' } })
  context.report({ ok: true, scope: 'web', notice: '1 service is polled' })
  t.match(host.statuses()[0], { state: 'live', error: undefined, notices: ['1 service is polled'] })
  advance(61_000)
  t.match(host.statuses()[0], { state: 'lagging', ageSeconds: 61 })
  await host.stop()
})

t.test('while a source fails as a whole, the success of a part makes it no fresher (discovery.md 1.1: freshness)', async t => {
  const { source, run } = scripted()
  const { host, advance } = hosted(source)
  const { context } = await run(1)
  context.synced()
  context.report({ ok: false, code: 'http-403', error: 'endpoints: 403' })
  advance(30_000)
  context.report({ ok: true, scope: 'names' })
  t.match(host.statuses()[0], { state: 'stale', ageSeconds: 30, error: { code: 'http-403' } })
  context.report({ ok: true, scope: '' })
  t.match(host.statuses()[0], { state: 'live', ageSeconds: 0, error: undefined })
  await host.stop()
})

t.test('removing a source takes its endpoints along', async t => {
  const { source, run } = scripted()
  const { host, served } = hosted(source)
  const { context } = await run(1)
  context.emit([group('web', '10.0.0.1')])
  await host.remove('dc1')
  t.same(served(), [])
  t.same(host.statuses(), [])
})

t.test('a source that loses many endpoints without a witness keeps them as suspect, until it is believed (discovery.md 5.4)', async t => {
  const { source, run } = scripted()
  const { host, table } = hosted(source)
  const states = () => (table.pool(web)?.endpoints ?? []).map(({ address, presence }) => `${address} ${presence}`)
  const first = await run(1)
  first.context.emit([group('a', '10.0.0.1', '10.0.0.2'), group('b', '10.0.0.3', '10.0.0.4')])
  first.context.synced()
  host.resync('dc1')
  const second = await run(2)
  second.context.emit([group('a', '10.0.0.1')])
  t.equal(host.statuses()[0]?.held, 0)
  second.context.synced()
  t.same(states(), ['10.0.0.1 live', '10.0.0.3 suspect', '10.0.0.4 suspect'])
  t.match(host.statuses()[0], { held: 2, endpoints: 3, holds: [{ service: web, rule: 'shrink', endpoints: 2 }] })
  t.equal(host.releaseGuard('dc1'), 2)
  t.equal(host.releaseGuard('nobody'), undefined)
  t.same(states(), ['10.0.0.1 live'])
  second.context.emit([group('a')], 0, 'explicit')
  t.same(states(), [], 'what was witnessed goes at once')
  await host.stop()
})

t.test(
  'a source that nobody reached for too long is expired; what becomes of its endpoints its settings say (discovery.md 5.6)',
  async t => {
    const table: [NonNullable<SourceGuards['onStale']>, string[]][] = [
      ['keep', ['10.0.0.1 live', '10.0.0.2 live']],
      ['degrade', ['10.0.0.1 suspect', '10.0.0.2 suspect']],
      ['drop', []],
    ]
    for (const [onStale, expected] of table) {
      const { source, run } = scripted()
      const clock = makeTestClock()
      const table = new EndpointTable(() => undefined)
      const wanted = { has: () => false, keys: () => [], onChange: () => () => undefined }
      const host = new SourceHost({ sink: table, wanted, clock, random: () => 1 }, () => undefined)
      host.add({ name: 'dc1', type: 'consul', instance: { source }, log: silent, guards: { maxStaleSeconds: 100, onStale } })
      const states = () => (table.pool(web)?.endpoints ?? []).map(({ address, presence }) => `${address} ${presence}`)
      const { context } = await run(1)
      context.emit([group('web', '10.0.0.1', '10.0.0.2')])
      context.synced()
      const pass = async (ms: number): Promise<void> => {
        clock.advance(ms)
        await new Promise(resolve => setImmediate(resolve))
      }
      await pass(200_000)
      t.equal(host.statuses()[0]?.state, 'live', 'silence without an error is no age')
      context.report({ ok: true })
      context.report({ ok: false, code: 'consul-unreachable', error: 'no route' })
      await pass(99_000)
      t.match(host.statuses()[0], { state: 'stale' })
      t.equal(states().length, 2)
      await pass(2000)
      t.match(host.statuses()[0], { state: 'expired', ageSeconds: 101 })
      t.same(states(), expected, onStale)
      const left = onStale === 'drop' ? [{ source: 'dc1', code: 'source-expired', service: web }] : []
      t.match(host.leftOut('10.0.0.1'), left, 'what was dropped is not forgotten')
      t.same(host.leftOut('10.0.0.1').length, left.length)
      t.same(host.leftOut('10.0.0.9'), [])
      context.report({ ok: true })
      t.match(host.statuses()[0], { state: 'live' })
      t.same(states(), ['10.0.0.1 live', '10.0.0.2 live'], `${onStale}: it is heard of again`)
      t.same(host.leftOut('10.0.0.1'), [])
      await host.stop()
    }
  },
)

t.test("a ServicePool's bounds of age are those of its services, whatever the source's are, and follow when they change", async t => {
  const { source, run } = scripted()
  const clock = makeTestClock()
  const table = new EndpointTable(() => undefined)
  const wanted = { has: () => false, keys: () => [], onChange: () => () => undefined }
  const rules = new Map<string, PoolGuards>([[web, { maxStaleSeconds: 100, onStale: 'drop' }]])
  const host = new SourceHost({ sink: table, wanted, clock, random: () => 1, guardsOf: service => rules.get(service) }, () => undefined)
  host.add({ name: 'dc1', type: 'consul', instance: { source }, log: silent, guards: { maxStaleSeconds: 1000, onStale: 'degrade' } })
  const api = serviceKey('shop', 'api')
  const states = () => [web, api].map(key => (table.pool(key)?.endpoints ?? []).map(one => one.presence).join())
  const { context } = await run(1)
  context.emit([group('web', '10.0.0.1'), { ...group('api', '10.0.0.2'), service: api }])
  context.synced()
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await new Promise(resolve => setImmediate(resolve))
  }
  context.report({ ok: false, code: 'consul-unreachable', error: 'no route' })
  for (const ms of [30_001, 60_001]) await pass(ms)
  t.same(states(), ['live', 'live'])
  await pass(10_000)
  t.same(states(), ['', 'live'], 'the pool drops its own')
  rules.set(web, { maxStaleSeconds: 100, onStale: 'degrade' })
  await pass(60_001)
  t.same(states(), ['suspect', 'live'], 'the pool says otherwise now')
  rules.clear()
  await pass(60_001)
  t.same(states(), ['live', 'live'], 'no pool any more: the bounds of the source')
  for (let minutes = 0; minutes < 14; minutes++) await pass(60_001)
  t.same(states(), ['suspect', 'suspect'])
  context.report({ ok: true })
  t.same(states(), ['live', 'live'])
  await host.stop()
})

t.test('a source that fails for half a minute is believed after the others, until it is read again (discovery.md 1.2 b, c)', async t => {
  const { source, run } = scripted()
  const clock = makeTestClock()
  const table = new EndpointTable(() => undefined)
  const wanted = { has: () => false, keys: () => [], onChange: () => () => undefined }
  const host = new SourceHost({ sink: table, wanted, clock, random: () => 1 }, () => undefined)
  host.add({ name: 'agents', type: 'vm', instance: { source }, log: silent })
  table.apply({ name: 'dc1', type: 'consul' }, [group('other', '10.0.0.1')], 0)
  const decides = () => table.pool(web)?.endpoints[0]?.winner.source
  const { context } = await run(1)
  context.emit([group('web', '10.0.0.1')])
  context.synced()
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await new Promise(resolve => setImmediate(resolve))
  }
  await pass(100_000)
  t.equal(decides(), 'agents', 'silence without an error is no age')
  context.report({ ok: true })
  context.report({ ok: false, code: 'consul-unreachable', error: 'no route', scope: 'shop/web' })
  await pass(40_000)
  t.equal(decides(), 'agents', 'a part of it fails')
  context.report({ ok: true })
  context.report({ ok: false, code: 'consul-unreachable', error: 'no route' })
  await pass(29_000)
  t.equal(decides(), 'agents', 'a registry may restart')
  await pass(2000)
  t.equal(decides(), 'dc1')
  context.report({ ok: true })
  t.equal(decides(), 'agents')
  context.report({ ok: false, code: 'consul-unreachable', error: 'no route' })
  await pass(31_000)
  t.equal(decides(), 'dc1', 'and again')
  await host.stop()
})

t.test('a source in the place of another of its name takes over what that one told, until it was read itself', async t => {
  const first = scripted()
  const second = scripted()
  const { host, served } = hosted(first.source)
  const { context } = await first.run(1)
  context.emit([group('a', '10.0.0.1'), group('b', '10.0.0.2')])
  context.synced()
  await host.replace({ name: 'dc1', type: 'consul', instance: { source: second.source }, log: silent })
  t.same(served(), ['10.0.0.1', '10.0.0.2'])
  const run = await second.run(1)
  run.context.emit([group('a', '10.0.0.1')])
  run.context.synced()
  t.same(served(), ['10.0.0.1'])
  context.emit([group('z', '10.0.0.9')])
  t.same(served(), ['10.0.0.1'], 'the former one is fenced')
  await host.stop()
})

t.test('what was known before the start is in force until the source says itself what is', async t => {
  const { source, run } = scripted()
  const clock = makeTestClock()
  const table = new EndpointTable(() => undefined)
  const wanted = { has: () => false, keys: () => [], onChange: () => () => undefined }
  const host = new SourceHost({ sink: table, wanted, clock, random: () => 1 }, () => undefined)
  const endpoints = [held(makeEndpoint({ address: '10.0.0.1', port: 80, id: 'a' }), 'restart', 'before')]
  const known = { groups: [{ id: 'web', service: web, endpoints }], confirmedAt: clock.wall() - 60_000 }
  host.add({ name: 'dc1', type: 'consul', instance: { source }, log: silent, known })
  host.add({ name: 'dc2', type: 'consul', instance: { source: scripted().source }, log: silent, known: { notice: 'too old' } })
  t.match(host.statuses(), [
    { state: 'syncing', endpoints: 1, ageSeconds: 60 },
    { state: 'syncing', endpoints: 0, notices: ['too old'] },
  ])
  t.same([host.allSynced, host.allKnown], [false, false])
  const { context } = await run(1)
  context.emit([group('web', '10.0.0.1')])
  t.equal(table.pool(web)?.endpoints[0]?.presence, 'live')
  await host.remove('dc2')
  t.same([host.allSynced, host.allKnown], [false, true])
  await host.stop()
})
