import { status } from '@grpc/grpc-js'
import t from 'tap'
import { Admission } from '../../src/xds/admission.ts'
import { ManualClock } from '../envoy/manual-clock.ts'
import { startXds, until } from './harness.ts'
import { resource } from './resources.ts'

t.test('L7 the bucket: a burst at once, then one by one, and nobody beyond the longest wait', async t => {
  const clock = new ManualClock()
  const admission = new Admission({ clock, perSecond: 10, burst: 3, longestWaitMs: 200 })
  const taken = (count: number) => Array.from({ length: count }, () => admission.take())
  t.same(taken(7), [0, 0, 0, 100, 200, undefined, undefined])
  clock.advance(100)
  t.same(taken(2), [200, undefined], 'who was sent away took no place')
  clock.advance(10_000)
  t.same(taken(4), [0, 0, 0, 100], 'quiet fills it, to the burst and no further')
})

for (const protocol of ['sotw', 'delta'] as const) {
  t.test(`${protocol}: L7 when everybody comes at once each waits for its turn, and who finds no place is told to come again`, async t => {
    const xds = await startXds(t, {
      resources: [resource('cluster a'), resource('cluster b')],
      options: { admission: { perSecond: 1, burst: 1, longestWaitMs: 1_000 } },
    })
    const [first, second, third] = ['e-1', 'e-2', 'e-3'].map(id => xds.open(protocol, 'ads', id))
    if (first === undefined || second === undefined || third === undefined) return
    first.ask('cluster', ['a'])
    await first.take(['a'])
    second.ask('cluster', ['a'])
    second.ask('runtime', ['r'])
    await until(() => xds.bounds.length === 1)
    third.ask('cluster', ['a'])
    t.match(await third.ended, { code: status.UNAVAILABLE, details: /try again/ })
    t.same(xds.faults, ['throttled'])
    t.equal(xds.logged.filter(line => /too many xDS clients/.test(line.message)).length, 1)
    const again = xds.open(protocol, 'ads', 'e-1')
    again.ask('cluster', ['b'])
    t.same((await again.take(['b'])).names, ['b'], 'further streams of a client that is there do not wait')
    xds.put(resource('runtime r'))
    t.equal(xds.observed.filter(({ what }) => what === 'written').length, 2, 'nothing was sent to who waits')
    await xds.clock.untilAsleep(1_000)
    xds.clock.advance(1_000)
    t.same((await second.take(['a'])).names, ['a'], 'in the order it asked')
    t.same((await second.take(['r'])).names, ['r'])
  })
}

t.test('L8 who leaves while it waits leaves nothing behind', async t => {
  const xds = await startXds(t, { options: { admission: { perSecond: 1, burst: 1, longestWaitMs: 1_000 } } })
  const [first, second] = [xds.open('delta', 'ads', 'e-1'), xds.open('delta', 'ads', 'e-2')]
  for (const stream of [first, second]) stream.ask('cluster', [])
  await until(() => xds.bounds.length === 1)
  for (const stream of [first, second]) stream.cancel()
  await until(() => xds.server.proxies.proxies().every(proxy => proxy.state === 'disconnected'))
  t.same(xds.cache.kept, { watches: 0, uses: 0 })
})
