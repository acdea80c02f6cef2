import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import type { OverrideEvent } from '../../src/operate/overrides.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import type { OverrideRequest } from '../../src/table/overrides.ts'
import { makeTestClock } from '../contract/test-clock.ts'
import { temporaryFolder } from '../tools/local.ts'
import { testOverrides } from './test-overrides.ts'

const web = serviceKey('default', 'web')
const at = { service: web, address: '10.0.0.1', port: 80 }
const drain: OverrideRequest = { id: 'a', ...at, action: 'drain', reason: 'kernel update', actor: 'ada' }

function stage(t: Test, { path = ':memory:', clock = makeTestClock() } = {}) {
  const events: OverrideEvent[] = []
  const table: EndpointTable = new EndpointTable(() => undefined, {
    now: () => clock.now(),
    after: () => () => undefined,
    overrides: service => overrides.of(service),
  })
  const overrides = testOverrides(table, clock, { path, record: event => events.push(event) })
  overrides.load()
  t.teardown(() => overrides.close())
  table.apply(
    { name: 'vms', type: 'vm' },
    [{ id: 'g', service: web, endpoints: [makeEndpoint({ address: '10.0.0.1', port: 80, id: 'i' })] }],
    0,
  )
  const seen = () => table.pool(web)?.endpoints[0]
  return { overrides, table, clock, events, seen }
}

t.test('an override goes above its sources and is gone once it is taken back (discovery.md 5.9)', async t => {
  const { overrides, seen, events } = stage(t)
  const before = seen()
  overrides.put(drain)
  t.match(seen(), { health: 'draining', override: { id: 'a' }, reasons: [{ code: 'override-drain' }] })
  overrides.put({ ...drain, action: 'weight', value: 7 })
  t.match(seen(), { health: 'healthy', weight: 7 }, 'the same id replaces')
  t.equal(overrides.list().length, 1)
  overrides.remove('a', 'bob')
  t.strictSame(seen(), before)
  t.match(events, [
    { what: 'override-set', actor: 'ada' },
    { what: 'override-set', before: { action: 'drain' } },
    { what: 'override-unset', actor: 'bob' },
  ])
})

t.test('a second override of an endpoint is refused and names the first', async t => {
  const { overrides, seen } = stage(t)
  overrides.put(drain)
  t.throws(() => overrides.put({ ...drain, id: 'b', action: 'pin' }), {
    code: 'override-conflict',
    message: /override a \(drain, by ada: kernel update\)/,
  })
  t.match(seen(), { health: 'draining' })
  t.doesNotThrow(() => overrides.put({ ...drain, id: 'b', port: 81 }), 'another port is another endpoint')
  t.throws(() => overrides.remove('c', 'ada'), { code: 'override-unknown' })
})

t.test('an override of an endpoint that comes later is there when it comes', async t => {
  const { overrides, table } = stage(t)
  const pay = serviceKey('shop', 'pay')
  overrides.put({ ...drain, service: pay })
  table.apply(
    { name: 'vms', type: 'vm' },
    [{ id: 'p', service: pay, endpoints: [makeEndpoint({ address: '10.0.0.1', port: 80, id: 'i' })] }],
    0,
  )
  t.match(table.pool(pay)?.endpoints, [{ health: 'draining' }])
})

t.test('time ends an override: the monotonic clock within a run, the wall clock over a restart, never later than asked', async t => {
  const path = join(await temporaryFolder(t), 'overrides.db')
  const clock = makeTestClock()
  let jump = 0
  const jumping = { ...clock, wall: () => clock.wall() + jump }
  const first = stage(t, { path, clock: jumping })
  first.overrides.put({ ...drain, ttlMs: 60_000 })
  first.overrides.put({ ...drain, id: 'b', port: 81, ttlMs: 20_000 })
  jump = 3_600_000
  clock.advance(10_000)
  t.equal(first.overrides.list().length, 2, 'a clock that is set forward ends nothing')
  jump = -7_200_000
  clock.advance(10_000)
  await clock.untilSleeping()
  t.strictSame(
    first.overrides.list().map(one => one.override.id),
    ['a'],
    'one that is set back prolongs nothing',
  )
  t.match(first.events.at(-1), { what: 'override-expired', actor: 'isthmus', override: { id: 'b' } })
  first.overrides.close()

  const second = stage(t, { path, clock: jumping })
  t.match(second.seen(), { health: 'draining' }, 'it outlives a restart')
  t.strictSame(
    second.overrides.list().map(one => one.kept),
    [true],
  )
  clock.advance(59_999)
  t.equal(second.overrides.list().length, 1)
  clock.advance(1)
  await clock.untilSleeping(0)
  await new Promise(setImmediate)
  t.equal(second.overrides.list().length, 0, 'not longer than it was set for, whatever the wall clock says')
  second.overrides.put({ ...drain, ttlMs: 1000 })
  second.overrides.close()
  jump = 0

  const third = stage(t, { path, clock: jumping })
  t.equal(third.overrides.list().length, 0, 'what ended meanwhile does not come back')
  t.match(third.events, [{ what: 'override-expired' }])
  const fourth = stage(t, { path, clock: jumping })
  t.strictSame(fourth.events, [], 'and is told once')
})

t.test('a damaged file is moved aside; a decision that cannot be written is in force and says so', async t => {
  const folder = await temporaryFolder(t)
  writeFileSync(join(folder, 'overrides.db'), 'no database at all, but long enough to look like one '.repeat(50))
  const { overrides } = stage(t, { path: join(folder, 'overrides.db') })
  t.equal(overrides.put(drain).kept, true)
  const broken = stage(t, { path: join(folder, 'overrides.db', 'below-a-file.db') })
  t.equal(broken.overrides.put(drain).kept, false)
  t.match(broken.seen(), { health: 'draining' })
})
