import { status } from '@grpc/grpc-js'
import t from 'tap'
import { resourceTypes, typeUrls } from '../../src/xds/type-urls.ts'
import { startXds, until } from './harness.ts'
import { RawClient } from './raw-client.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const

for (const protocol of protocols) {
  t.test(`${protocol}: C1 only the first message of a stream must carry the node, C16 every response names the gateway`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a', 'v1', ['secret s']), resource('secret s')] })
    const stream = xds.open(protocol)
    stream.ask('cluster', [])
    const clusters = await stream.take()
    stream.ask('secret', ['s'])
    const secrets = await stream.take(['s'])
    t.match(clusters, { names: ['a'], controlPlane: 'isthmus-test' })
    t.match(secrets, { names: ['s'], controlPlane: 'isthmus-test' })
    t.same(
      xds.server.proxies.proxies().map(proxy => [proxy.nodeId, proxy.cluster, proxy.streams]),
      [['envoy-1', 'edge', 1]],
    )
  })

  t.test(`${protocol}: C2 a first message without a node, or with an empty id, ends that stream alone`, async t => {
    const xds = await startXds(t)
    const good = xds.open(protocol)
    const client = new RawClient(xds.port)
    t.teardown(() => client.close())
    for (const node of [undefined, {}, { id: '' }]) {
      const stream = client.open(protocol, 'ads', { cluster: 'edge' })
      stream.send({ node, typeUrl: typeUrls.cluster })
      t.match(await stream.ended, { code: status.INVALID_ARGUMENT, details: /node/ })
    }
    await xds.silent(t, good, 'the good stream lives')
  })

  t.test(`${protocol}: C3 a later message with another node id changes nothing but the log`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const stream = xds.open(protocol)
    await xds.marker(stream)
    stream.send({ typeUrl: typeUrls.cluster, node: { id: 'other' } })
    t.same((await stream.take()).names, ['a'])
    t.same(
      xds.server.proxies.proxies().map(proxy => proxy.nodeId),
      ['envoy-1'],
    )
    t.ok(xds.logged.some(({ level, data }) => level === 'warn' && JSON.stringify(data).includes('other')))
  })

  t.test(`${protocol}: C4 two streams of one node id have each their own state; when one closes the other goes on`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('endpoint a')] })
    const [one, two] = [xds.open(protocol), xds.open(protocol)]
    one.ask('cluster', [])
    t.same((await one.take()).names, ['a'])
    two.ask('cluster', [])
    t.same((await two.take()).names, ['a'], 'what the first was sent is not taken for granted on the second')
    await until(() => xds.server.proxies.proxy('envoy-1')?.types.every(type => type.state === 'synced') === true)
    t.match(xds.server.proxies.proxy('envoy-1'), { streams: 2, state: 'synced' })
    one.cancel()
    await until(() => xds.server.proxies.proxy('envoy-1')?.streams === 1)
    xds.put(resource('cluster a', 'v2'))
    t.same((await two.take()).names, ['a'])
  })

  t.test(`${protocol}: C5 nonces are unique, and an old one on a new stream does not hide its first question`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const first = xds.open(protocol)
    first.ask('cluster', [])
    const before = await first.take()
    t.not(before.nonce, '')
    xds.put(resource('cluster a', 'v2'))
    const after = await first.take()
    t.not(after.nonce, before.nonce)
    const second = xds.open(protocol)
    second.ask('cluster', [], { responseNonce: before.nonce })
    t.same((await second.take()).names, ['a'])
  })

  t.test(`${protocol}: C7 an ADS message without a type URL is invalid`, async t => {
    const xds = await startXds(t)
    const stream = xds.open(protocol)
    stream.send({})
    t.match(await stream.ended, { code: status.INVALID_ARGUMENT, details: /type_url/ })
  })

  t.test(`${protocol}: C7 the service of one type takes an empty type URL, and refuses another one`, async t => {
    const xds = await startXds(t, {
      resources: resourceTypes.map(type => resource(`${type} x`, 'v1', type === 'listener' ? ['secret x'] : [])),
    })
    for (const type of resourceTypes) {
      const bare = xds.open(protocol, type)
      bare.send(protocol === 'delta' ? { resourceNamesSubscribe: ['x'] } : { resourceNames: ['x'] })
      t.match(await bare.take(['x']), { names: ['x'], typeUrl: typeUrls[type], resourceUrls: [typeUrls[type]] }, `${type}, C15`)
      const wrong = xds.open(protocol, type)
      wrong.ask(type === 'cluster' ? 'listener' : 'cluster', ['x'])
      t.match(await wrong.ended, { code: status.INVALID_ARGUMENT }, type)
    }
  })

  t.test(`${protocol}: C19 bytes that are no request fail that stream alone`, async t => {
    const xds = await startXds(t)
    const [bad, late, good] = [xds.open(protocol), xds.open(protocol), xds.open(protocol)]
    bad.sendBytes(Buffer.from([0x0a, 0xff]))
    t.match(await bad.ended, { code: status.INTERNAL })
    await xds.silent(t, late, 'a good request')
    late.sendBytes(Buffer.from('no protobuf at all'))
    t.match(await late.ended, { code: status.INTERNAL })
    await xds.silent(t, good, 'the server lives')
  })

  t.test(`${protocol}: L1 nothing is answered before the sources are in sync; then what is current then`, async t => {
    const xds = await startXds(t, { gated: true })
    const stream = xds.open(protocol)
    stream.ask('cluster', [])
    await until(() => xds.server.proxies.proxy('envoy-1') !== undefined)
    xds.put(resource('cluster a'), resource('cluster b'))
    t.same(xds.observed, [])
    xds.openGate()
    t.same((await stream.take()).names, ['a', 'b'])
    await xds.silent(t, stream, 'once')
  })

  t.test(`${protocol}: L8 1,000 streams that come and go leave nothing behind`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a', 'v1', ['endpoint a']), resource('endpoint a')] })
    for (let round = 0; round < 10; round++) {
      const streams = Array.from({ length: 100 }, (_, index) => xds.open(protocol, 'ads', `envoy-${String(index)}`))
      await Promise.all(
        streams.map(async (stream, index) => {
          stream.ask('cluster', [])
          stream.ask('endpoint', ['a', `absent-${String(index)}`])
          const response = await stream.next()
          // Some go with a response acknowledged, some without; some with a word, some cut off.
          if (index % 2 === 0) stream.ack(response)
          if (index % 3 === 0) stream.end()
          else stream.cancel()
          await stream.ended
        }),
      )
    }
    await until(() => xds.server.proxies.proxies().every(proxy => proxy.state === 'disconnected'))
    t.same(xds.cache.kept, { watches: 0, uses: 0 })
  })
}

t.test('delta: C8 of a type that we do not serve everything is absent, and other types go on', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const stream = xds.open('delta')
  const typeUrl = 'type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration'
  stream.send({ typeUrl, resourceNamesSubscribe: ['x', 'y'] })
  const named = await stream.take()
  t.match(named, { typeUrl, names: [], removed: ['x', 'y'] })
  stream.send({ typeUrl: `${typeUrl}2` })
  t.match(await stream.take(), { typeUrl: `${typeUrl}2`, names: [], removed: [] }, 'everything of it: nothing')
  stream.ask('cluster', [])
  t.same((await stream.take()).names, ['a'])
  await xds.silent(t, stream, 'the acknowledgements are not questions')
})

t.test('sotw: C8 a type that we do not serve is met with silence', async t => {
  const xds = await startXds(t)
  const stream = xds.open('sotw')
  const typeUrl = 'type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration'
  stream.send({ typeUrl })
  stream.send({ typeUrl, resourceNames: ['x'] })
  await xds.silent(t, stream, 'no answer')
})

t.test('C6 each type of an ADS stream has its own nonce: a refused route neither stops nor repeats clusters', async t => {
  for (const protocol of protocols) {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('route r')] })
    const stream = xds.open(protocol)
    stream.ask('cluster', [])
    stream.ask('route', ['r'])
    await stream.take()
    const routes = await stream.next()
    stream.nack(routes, 'r: no', protocol === 'sotw' ? { resourceNames: ['r'] } : {})
    await xds.silent(t, stream, `${protocol}: nothing is repeated`)
    xds.put(resource('cluster a', 'v2'))
    t.match(await stream.take(), { typeUrl: typeUrls.cluster, names: ['a'] }, protocol)
  }
})

t.test('D17 a very large first request is taken', async t => {
  const xds = await startXds(t, { resources: [resource('endpoint e-1')] })
  const stream = xds.open('delta')
  const names = Array.from({ length: 50_000 }, (_, index) => `e-${String(index)}`.padEnd(200, 'x'))
  stream.ask('endpoint', ['e-1', ...names], { initialResourceVersions: Object.fromEntries(names.map(name => [name, '0123456789abcdef'])) })
  const response = await stream.take()
  t.same(response.names, ['e-1'])
  t.equal(response.removed.length, names.length)
})
