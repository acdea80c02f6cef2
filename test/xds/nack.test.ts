import t from 'tap'
import { type Harness, startXds } from './harness.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const
const names = Array.from({ length: 20 }, (_, index) => `c${String(index).padStart(2, '0')}`)

/** How the client stands with its clusters. */
function clusterState(xds: Harness) {
  const status = xds.server.proxies.proxy('envoy-1')?.types.find(({ type }) => type === 'cluster')
  return { state: status?.state, nack: status?.lastNack?.names }
}

function resourceState(xds: Harness, name: string) {
  return xds.server.proxies.resources('envoy-1', 'cluster').find(resource => resource.name === name)?.state
}

for (const protocol of protocols) {
  const isDelta = protocol === 'delta'

  t.test(`${protocol}: C9 C10 a refused resource is not sent again, until it changes`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('cluster b')] })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    await peer.take()
    xds.put(resource('cluster a', 'bad'))
    t.equal(await peer.next(), isDelta ? 'cluster a=bad' : 'cluster a=bad b=v1')
    peer.nack('cluster', 'Error adding/updating cluster(s) a: no')
    if (!isDelta) t.equal(await peer.take(), 'cluster a=v1 b=v1', 'the whole set with its last good version')
    await xds.silent(t, peer.stream, 'no loop')
    t.match(clusterState(xds), { state: 'rejected', nack: ['a'] })
    t.equal(resourceState(xds, 'a'), 'rejected')
    t.equal(resourceState(xds, 'b'), 'synced')
    xds.put(resource('cluster b', 'v2'))
    t.equal(await peer.take(), isDelta ? 'cluster b=v2' : 'cluster a=v1 b=v2', 'other changes go on')
    await xds.silent(t, peer.stream, 'still no loop')
    t.match(clusterState(xds), { state: 'rejected', nack: ['a'] }, 'the refused one stays on show')
    xds.put(resource('cluster a', 'v3'))
    t.equal(await peer.take(), isDelta ? 'cluster a=v3' : 'cluster a=v3 b=v2')
    await xds.silent(t, peer.stream, 'done')
    t.match(clusterState(xds), { state: 'synced', nack: undefined })
  })

  t.test(`${protocol}: C10 a refused resource that goes back to its good version is in sync without a word`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    await peer.take()
    xds.put(resource('cluster a', 'bad'))
    await peer.next()
    peer.nack('cluster', 'a: no')
    if (!isDelta) await peer.take()
    await xds.silent(t, peer.stream, 'no loop')
    xds.put(resource('cluster a'))
    if (isDelta) t.equal(await peer.take(), 'cluster a=v1', 'what the client applied of a refused update is unknown (C13)')
    await xds.silent(t, peer.stream, 'done')
    t.match(clusterState(xds), { state: 'synced' })
  })

  t.test(`${protocol}: C11 a NACK that also names more is honoured in the same step`, async t => {
    const xds = await startXds(t, { resources: [resource('endpoint a'), resource('endpoint b')] })
    const stream = xds.open(protocol)
    stream.ask('endpoint', ['a'])
    const response = await stream.next()
    stream.nack(response, 'a: no', isDelta ? { resourceNamesSubscribe: ['b'] } : { resourceNames: ['a', 'b'] })
    t.same((await stream.take(['a', 'b'])).names, ['b'])
    await xds.silent(t, stream, 'no more')
  })

  t.test(`${protocol}: C12 what was published before the NACK came goes out at once`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    await peer.take()
    xds.put(resource('cluster a', 'v2'))
    await peer.next()
    xds.put(resource('cluster a', 'v3'))
    await xds.silent(t, peer.stream, 'one response in flight')
    peer.nack('cluster', 'a: no')
    t.equal(await peer.take(), 'cluster a=v3')
  })

  t.test(`${protocol}: C13 one bad cluster among many, named by the client, stops no other`, async t => {
    const xds = await startXds(t, { resources: names.map(name => resource(`cluster ${name}`)) })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    await peer.take()
    xds.put(...names.map(name => resource(`cluster ${name}`, 'v2')))
    await peer.next()
    peer.nack('cluster', 'Error adding/updating cluster(s) c07: no')
    const others = names.filter(name => name !== 'c07').map(name => `${name}=v2`)
    t.equal(await peer.take(), ['cluster', ...(isDelta ? others : [...others, 'c07=v1'].sort())].join(' '))
    await xds.silent(t, peer.stream, 'done')
    t.same(
      names.filter(name => resourceState(xds, name) !== 'synced'),
      ['c07'],
    )
    xds.put(resource('cluster c08', 'v3'))
    t.match(await peer.take(), /c08=v3/)
  })

  t.test(`${protocol}: C13 culprits that nobody names are found in a bounded number of tries`, async t => {
    const xds = await startXds(t, { resources: names.map(name => resource(`cluster ${name}`)) })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    await peer.take()
    const bad = ['c03', 'c11']
    xds.put(...names.map(name => resource(`cluster ${name}`, bad.includes(name) ? 'bad' : 'v2')))
    const tries = await xds.settle(peer, text => {
      if (text.includes('=bad')) peer.nack('cluster', 'no')
      else peer.ack('cluster')
    })
    t.ok(tries < 64, `${String(tries)} tries`)
    t.same(
      names.filter(name => resourceState(xds, name) !== 'synced'),
      bad,
    )
  })

  t.test(`${protocol}: C10 a client that refuses everything is asked a bounded number of times`, async t => {
    const xds = await startXds(t, { resources: names.map(name => resource(`cluster ${name}`)) })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    const tries = await xds.settle(peer, () => peer.nack('cluster', 'no'))
    t.ok(tries <= 128, `${String(tries)} tries`)
    t.match(clusterState(xds), { state: 'rejected' })
    t.equal(await xds.settle(peer, () => t.fail('it was sent again')), 0)
  })

  t.test(`${protocol}: D7 a NACK of a response that only removes secrets does no harm`, async t => {
    const xds = await startXds(t, { resources: [resource('listener l', 'v1', ['secret s']), resource('secret s')] })
    const peer = xds.peer(protocol)
    peer.subscribe('secret', 's')
    await peer.take()
    xds.remove('listener l', 'secret s')
    if (isDelta) {
      t.equal(await peer.next(), 'secret -s')
      peer.nack('secret', 'Missing SDS resources')
    }
    xds.put(resource('listener l', 'v1', ['secret s']), resource('secret s', 'v2'))
    t.equal(await peer.take(), 'secret s=v2')
    t.equal(xds.server.proxies.proxy('envoy-1')?.state !== 'rejected', true)
  })

  t.test(`${protocol}: C13 a NACK that names nobody condemns nobody while the culprit may be gone`, async t => {
    const xds = await startXds(t, { resources: [resource('endpoint a'), resource('endpoint b', 'bad')] })
    const peer = xds.peer(protocol)
    peer.subscribe('endpoint', 'a', 'b')
    await peer.next()
    peer.unsubscribe('endpoint', 'b')
    await xds.silent(t, peer.stream, 'one response in flight')
    peer.nack('endpoint', 'no')
    t.equal(await peer.take(), 'endpoint a=v1', 'tried once more without the culprit')
    await xds.silent(t, peer.stream, 'done')
  })
}

t.test('sotw: C10 no loop between a refused version and a last good version of others that is refused, too', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a', 'new-field'), resource('cluster b')] })
  const [modern, old] = [xds.peer('sotw', 'modern'), xds.peer('sotw', 'old')]
  modern.subscribe('cluster', '*')
  await modern.take()
  xds.put(resource('cluster a', 'newer-field'))
  await modern.next()
  old.subscribe('cluster', '*')
  const said: string[] = []
  await xds.settle(old, text => {
    said.push(text)
    if (text.includes('a=new')) old.nack('cluster', 'a: no such field')
    else old.ack('cluster')
  })
  t.same(said, ['cluster a=newer-field b=v1', 'cluster a=new-field b=v1', 'cluster b=v1'])
})
