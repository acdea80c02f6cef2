import t from 'tap'
import { type Harness, startXds, until } from './harness.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const

function clusters(xds: Harness) {
  return xds.server.proxies.proxy('envoy-1')?.types.find(({ type }) => type === 'cluster')
}

for (const protocol of protocols) {
  t.test(`${protocol}: numbers of a client: what it watches, was sent, acknowledged, refused, and what is pending`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('cluster b')] })
    t.equal(xds.server.proxies.proxy('envoy-1'), undefined)
    const peer = xds.peer(protocol)
    xds.clock.advance(100)
    peer.subscribe('cluster', 'a', 'b', 'absent')
    await peer.next()
    t.match(xds.server.proxies.proxy('envoy-1'), { state: 'pending', connectedAt: 100, disconnectedAt: undefined, streams: 1 })
    t.match(clusters(xds), { protocol, subscribed: 3, sent: 1, acked: 0, nacked: 0, pending: 2, lastSentAt: 100, state: 'pending' })
    xds.clock.advance(5)
    peer.ack('cluster')
    await xds.silent(t, peer.stream, 'in sync')
    t.match(clusters(xds), { sent: 1, acked: 1, pending: 0, lastAckAt: 105, lastNack: undefined, state: 'synced' })
    xds.put(resource('cluster a', 'bad'))
    await peer.next()
    xds.clock.advance(5)
    peer.nack('cluster', 'a: no good')
    if (protocol === 'sotw') await peer.take()
    await xds.silent(t, peer.stream, 'refused')
    t.match(clusters(xds), { nacked: 1, pending: 0, state: 'rejected', lastNack: { text: 'a: no good', at: 110, code: 13, names: ['a'] } })
    t.equal(xds.server.proxies.proxy('envoy-1')?.state, 'rejected')
  })

  t.test(`${protocol}: one resource at a client`, async t => {
    const xds = await startXds(t, {
      resources: [
        resource('cluster a'),
        resource('cluster b', 'v1', ['endpoint b']),
        resource('endpoint b'),
        resource('route r', 'v1', ['cluster b']),
      ],
    })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    await peer.take()
    peer.subscribe('route', 'r')
    peer.subscribe('endpoint', 'b')
    t.equal(await peer.next(), 'route r=v1', 'the cluster has no assignment at this client yet')
    t.equal(await peer.take(), 'endpoint b=v1')
    const version = (id: string, content = 'v1') => resource(id, content).version
    const found = () => xds.server.proxies.resources('envoy-1', 'route')
    t.same(found(), [
      { name: 'r', sentVersion: version('route r'), ackedVersion: undefined, currentVersion: version('route r'), state: 'pending' },
    ])
    peer.ack('route')
    xds.put(resource('cluster c'), resource('route r', 'v2', ['cluster c']))
    await peer.next()
    await xds.silent(t, peer.stream, 'the route waits')
    t.match(found(), [
      {
        name: 'r',
        sentVersion: version('route r'),
        ackedVersion: version('route r'),
        currentVersion: version('route r', 'v2'),
        state: 'waiting',
      },
    ])
    t.equal(xds.server.proxies.proxy('envoy-1')?.types.find(({ type }) => type === 'route')?.state, 'pending')
    t.same(xds.server.proxies.resources('nobody', 'route'), [])
  })

  t.test(`${protocol}: two streams of one client are one client, with one line per type`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('cluster b')] })
    const [one, two] = [xds.peer(protocol), xds.peer(protocol)]
    one.subscribe('cluster', 'a')
    await one.take()
    two.subscribe('cluster', 'b')
    await two.take()
    await until(() => clusters(xds)?.acked === 2)
    t.match(xds.server.proxies.proxies(), [{ nodeId: 'envoy-1', streams: 2, types: [{ type: 'cluster', sent: 2, state: 'synced' }] }])
    t.equal(xds.server.proxies.proxy('envoy-1')?.types.length, 1)
    t.same(
      xds.server.proxies.resources('envoy-1', 'cluster').map(({ name, state }) => [name, state]),
      [
        ['a', 'synced'],
        ['b', 'synced'],
      ],
    )
  })
}

t.test('a client that left is shown for an hour, with what it had; when it comes back it is new', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const peer = xds.peer('delta')
  peer.subscribe('cluster', '*')
  await peer.take()
  await until(() => clusters(xds)?.acked === 1)
  xds.clock.advance(1_000)
  peer.stream.cancel()
  await until(() => xds.server.proxies.proxy('envoy-1')?.state === 'disconnected')
  t.match(xds.server.proxies.proxy('envoy-1'), { disconnectedAt: 1_000, streams: 0, types: [{ type: 'cluster', sent: 1, acked: 1 }] })
  const again = xds.peer('delta')
  again.subscribe('cluster', '*')
  await again.take()
  await until(() => clusters(xds)?.acked === 1)
  t.match(xds.server.proxies.proxy('envoy-1'), { connectedAt: 1_000, disconnectedAt: undefined, state: 'synced' })
  again.stream.end()
  await until(() => xds.server.proxies.proxy('envoy-1')?.state === 'disconnected')
  xds.clock.advance(3_599_999)
  t.equal(xds.server.proxies.proxies().length, 1)
  xds.clock.advance(2)
  t.same(xds.server.proxies.proxies(), [])
})
