import t from 'tap'
import { resourceTypes } from '../../src/xds/type-urls.ts'
import { type Harness, startXds, until } from './harness.ts'
import type { Peer } from './peer.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const

/** Clusters with their assignments. */
function clusters(...names: readonly string[]) {
  return names.flatMap(name => [resource(`cluster ${name}`, 'v1', [`endpoint ${name}`]), resource(`endpoint ${name}`)])
}

/** A client that has cluster x, its assignment and the route r to it. */
async function settled(xds: Harness, protocol: 'sotw' | 'delta'): Promise<Peer> {
  const peer = xds.peer(protocol)
  peer.subscribe('cluster', '*')
  await peer.take()
  peer.subscribe('endpoint', 'x')
  await peer.take()
  peer.subscribe('route', 'r')
  await peer.take()
  return peer
}

for (const protocol of protocols) {
  const isDelta = protocol === 'delta'

  t.test(`${protocol}: O1 one change of all types goes out in the order of the wire`, async t => {
    const all = (content: string) =>
      resourceTypes.map(type => resource(`${type} a`, content, type === 'listener' ? ['secret a'] : [])).reverse()
    const xds = await startXds(t, { resources: all('v1') })
    const peer = xds.peer(protocol)
    for (const type of resourceTypes) {
      peer.subscribe(type, 'a')
      await peer.take()
    }
    xds.put(...all('v2'))
    for (const type of resourceTypes) t.equal(await peer.next(), `${type} a=v2`)
  })

  t.test(`${protocol}: O2 a route moves to a new cluster: the new one first, the old one goes last`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x'), resource('route r', 'v1', ['cluster x'])] })
    const peer = await settled(xds, protocol)
    xds.cache.patch({
      upsert: [resource('route r', 'v2', ['cluster y']), ...clusters('y')],
      remove: [
        { type: 'cluster', name: 'x' },
        { type: 'endpoint', name: 'x' },
      ],
    })
    t.equal(await peer.next(), isDelta ? 'cluster y=v1' : 'cluster x=v1 y=v1')
    await xds.silent(t, peer.stream, 'the route waits for the cluster to be acknowledged')
    peer.subscribe('endpoint', 'y')
    t.equal(await peer.next(), 'endpoint y=v1')
    peer.ack('cluster')
    await xds.silent(t, peer.stream, 'and for its assignment, without which it only warms')
    peer.ack('endpoint')
    t.equal(await peer.next(), 'route r=v2')
    await xds.silent(t, peer.stream, 'the old cluster waits for the route to be acknowledged')
    t.match(xds.cache.retirement, { waiting: 2, forced: 0 })
    peer.ack('route')
    t.equal(await peer.next(), isDelta ? 'cluster -x' : 'cluster y=v1')
    await xds.silent(t, peer.stream, 'its assignment waits for it to be gone')
    peer.ack('cluster')
    if (isDelta) t.equal(await peer.take(), 'endpoint -x')
    await xds.silent(t, peer.stream, 'that was all')
    t.match(xds.cache.retirement, { waiting: 0, forced: 0 })
  })

  t.test(`${protocol}: O2 the removed cluster stays for the slowest client, and at most 30 s`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x'), resource('route r', 'v1', ['cluster x'])] })
    const peers = [await settled(xds, protocol), await settled(xds, protocol)]
    const [quick, slow] = peers
    xds.cache.patch({
      upsert: [resource('route r', 'v2')],
      remove: [
        { type: 'cluster', name: 'x' },
        { type: 'endpoint', name: 'x' },
      ],
    })
    for (const peer of peers) t.equal(await peer.next(), 'route r=v2')
    quick?.ack('route')
    if (quick !== undefined) await xds.silent(t, quick.stream, 'another one may still use it')
    xds.clock.advance(29_999)
    t.match(xds.cache.retirement, { waiting: 2, forced: 0 })
    xds.clock.advance(1)
    t.equal(await slow?.next(), isDelta ? 'cluster -x' : 'cluster', 'bounded')
    t.equal(xds.cache.retirement.waiting, 0)
    t.ok(xds.cache.retirement.forced > 0)
  })

  t.test(`${protocol}: O2 a client that goes away holds nothing back`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x'), resource('route r', 'v1', ['cluster x'])] })
    const [stays, leaves] = [await settled(xds, protocol), await settled(xds, protocol)]
    xds.cache.patch({ upsert: [resource('route r', 'v2')], remove: [{ type: 'cluster', name: 'x' }] })
    t.equal(await stays.take(), 'route r=v2')
    t.equal(await leaves.next(), 'route r=v2')
    await xds.silent(t, stays.stream, 'the other one may still use it')
    leaves.stream.cancel()
    t.equal(await stays.take(), isDelta ? 'cluster -x' : 'cluster')
  })

  t.test(`${protocol}: O2 what is put again before it went is not removed`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x'), resource('route r', 'v1', ['cluster x'])] })
    const peer = await settled(xds, protocol)
    xds.remove('cluster x', 'endpoint x', 'route r')
    t.equal(xds.cache.retirement.waiting, 2)
    if (isDelta) t.equal(await peer.next(), 'route -r')
    xds.put(...clusters('x'), resource('route r', 'v1', ['cluster x']))
    t.equal(xds.cache.retirement.waiting, 0)
    if (isDelta) {
      peer.ack('route')
      t.equal(await peer.take(), 'route r=v1', 'D8: anew, with the old version')
    }
    await xds.silent(t, peer.stream, 'cluster and assignment were there all the time')
  })

  t.test(`${protocol}: O3 a route waits for a new cluster 10 s and no longer`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x'), resource('route r', 'v1', ['cluster x'])] })
    const peer = await settled(xds, protocol)
    xds.put(...clusters('y'), resource('route r', 'v2', ['cluster x', 'cluster y']))
    await peer.next()
    await xds.silent(t, peer.stream, 'no acknowledgement yet')
    await xds.clock.untilAsleep(10_000)
    xds.clock.advance(9_999)
    await xds.silent(t, peer.stream, 'not before the time is up')
    xds.clock.advance(1)
    t.equal(await peer.next(), 'route r=v2')
  })

  t.test(`${protocol}: O3 a route that waits does not keep another one waiting`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x'), resource('route r', 'v1', ['cluster x']), resource('route s')] })
    const peer = await settled(xds, protocol)
    peer.subscribe('route', 's')
    await peer.take()
    xds.put(...clusters('y'), resource('route r', 'v2', ['cluster y']), resource('route s', 'v2'))
    t.match(await peer.next(), /^cluster/)
    t.equal(await peer.next(), 'route s=v2')
  })

  t.test(`${protocol}: O3 what the client does not watch is not waited for`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x'), resource('route r', 'v1', ['cluster x'])] })
    const peer = xds.peer(protocol)
    peer.subscribe('route', 'r')
    t.equal(await peer.take(), 'route r=v1')
  })

  t.test(`${protocol}: O4 a cluster that is sent again is followed by its unchanged assignment`, async t => {
    const xds = await startXds(t, { resources: [...clusters('x', 'z'), resource('route r', 'v1', ['cluster x'])] })
    const peer = await settled(xds, protocol)
    xds.put(resource('cluster x', 'v2', ['endpoint x']))
    t.equal(await peer.take(), isDelta ? 'cluster x=v2' : 'cluster x=v2 z=v1')
    t.equal(await peer.take(), 'endpoint x=v1')
    await xds.silent(t, peer.stream, 'once, and not for the cluster that stayed')
  })

  t.test(`${protocol}: O6 an assignment is given although others are not asked for`, async t => {
    const xds = await startXds(t, { resources: clusters('x', 'y') })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    await peer.next()
    peer.subscribe('endpoint', 'y')
    t.equal(await peer.next(), 'endpoint y=v1')
  })

  t.test(`${protocol}: O8 the routes of a new listener are given while it warms`, async t => {
    const xds = await startXds(t, { resources: [resource('listener l', 'v1', ['route r']), resource('route r')] })
    const peer = xds.peer(protocol)
    peer.subscribe('listener', '*')
    t.equal(await peer.next(), 'listener l=v1')
    peer.subscribe('route', 'r')
    t.equal(await peer.next(), 'route r=v1')
  })

  t.test(`${protocol}: D15 one response at a time: changes meanwhile are merged, 10 s without an answer are enough`, async t => {
    const xds = await startXds(t, { resources: [resource('endpoint a'), resource('endpoint b'), resource('endpoint c')] })
    const peer = xds.peer(protocol)
    peer.subscribe('endpoint', 'a', 'b', 'c')
    await peer.take()
    xds.put(resource('endpoint a', 'v2'))
    t.equal(await peer.next(), 'endpoint a=v2')
    for (const content of ['v3', 'v4', 'v5']) {
      xds.put(resource('endpoint b', content))
      await xds.silent(t, peer.stream, content)
    }
    xds.put(resource('endpoint c', 'v2'))
    peer.ack('endpoint')
    t.equal(await peer.next(), 'endpoint b=v5 c=v2')
    xds.put(resource('endpoint a', 'v3'))
    await until(() => xds.observed.filter(({ what, type }) => what === 'written' && type === 'endpoint').length === 3)
    xds.clock.advance(10_000)
    t.equal(await peer.next(), 'endpoint a=v3', 'the client does not answer')
  })
}

t.test('delta: O4 a client that reconnects with its versions and is sent a cluster gets its assignment again', async t => {
  const xds = await startXds(t, { resources: clusters('x') })
  const stream = xds.open('delta')
  stream.ask('cluster', [], { initialResourceVersions: { x: 'old' } })
  t.same((await stream.take()).names, ['x'])
  stream.ask('endpoint', ['x'], { initialResourceVersions: { x: resource('endpoint x').version } })
  t.same((await stream.take()).names, ['x'])
  await xds.silent(t, stream, 'once')
})
