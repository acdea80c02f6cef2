import { connect } from 'node:net'
import { status } from '@grpc/grpc-js'
import t from 'tap'
import { startXds, until } from './harness.ts'
import { RawClient } from './raw-client.ts'
import { resource } from './resources.ts'

t.test('listen fails where the port is taken', async t => {
  const [one, two] = [await startXds(t), await startXds(t)]
  await t.rejects(two.server.listen({ host: '127.0.0.1', port: one.port }))
})

t.test('IPv6 addresses are listened on', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const port = await xds.server.listen({ host: '::1', port: 0 })
  const client = new RawClient(port, undefined, '[::1]')
  t.teardown(() => client.close())
  const stream = client.open('delta')
  stream.ask('cluster', [])
  t.same((await stream.next()).names, ['a'])
})

t.test('L5 close takes no new connections and ends the streams in good order, spread over the first half of its time', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const streams = Array.from({ length: 20 }, () => xds.open('delta'))
  for (const stream of streams) {
    stream.ask('cluster', [])
    await stream.next()
  }
  const closing = xds.server.close(10_000)
  await xds.clock.untilAsleep(2_500)
  t.equal(xds.server.proxies.proxy('envoy-1')?.streams, 20, 'not all at once')
  const late = new RawClient(xds.port)
  t.teardown(() => late.close())
  t.equal((await late.open('delta').ended).code, status.UNAVAILABLE)
  xds.clock.advance(2_500)
  for (const stream of streams) t.match(await stream.ended, { code: status.OK })
  await closing
  t.same(xds.cache.kept, { watches: 0, uses: 0 })
  t.match(xds.server.proxies.proxy('envoy-1'), { state: 'disconnected' })
})

t.test('L5 close is over in its time although a peer is stuck, and although a connection never spoke', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const mute = connect(xds.port, '127.0.0.1')
  t.teardown(() => mute.destroy())
  mute.on('error', () => undefined)
  await new Promise(resolve => mute.once('connect', resolve))
  const stream = xds.open('delta')
  stream.ask('cluster', [])
  await stream.next()
  const closing = xds.server.close(10_000)
  xds.clock.advance(0)
  await xds.clock.untilAsleep(5_000)
  xds.clock.advance(5_000)
  await closing
  t.same(xds.cache.kept, { watches: 0, uses: 0 })
})

t.test('closing before listening, and without streams, is harmless', async t => {
  const xds = await startXds(t)
  const closing = xds.server.close(0)
  await until(() => true)
  xds.clock.advance(100)
  await closing
  t.pass()
})
