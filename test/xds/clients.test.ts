import t from 'tap'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { startXds } from './harness.ts'
import { RawClient } from './raw-client.ts'
import { resource } from './resources.ts'

t.test('D5 a first request that names resources is no wildcard, whatever an Envoy before 1.19 meant by it', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a'), resource('cluster b')] })
  const peer = xds.peer('delta')
  peer.subscribe('cluster', 'a')
  t.equal(await peer.take(), 'cluster a=v1')
  xds.put(resource('cluster new'), resource('cluster b', 'v2'))
  await xds.silent(t, peer.stream, 'neither of them was asked for')
})

t.test('D16 C17 the version of a whole response is a hash of what is in it: for people, nothing depends on it', async t => {
  const [one, two] = [await startXds(t), await startXds(t)]
  const versions: string[] = []
  for (const xds of [one, two]) {
    xds.put(...(xds === one ? ['a', 'b'] : ['b', 'a']).map(name => resource(`cluster ${name}`)))
    const stream = xds.open('delta')
    stream.ask('cluster', [])
    const response = await stream.take()
    versions.push(response.version)
    t.match(response.version, /^[0-9a-f]{16}$/)
  }
  t.equal(versions[0], versions[1])
})

t.test('D19 nothing that we serve has aliases: a name that is not its own is one that does not exist', async t => {
  const xds = await startXds(t, { resources: [resource('route r')] })
  const peer = xds.peer('delta')
  peer.subscribe('route', 'r', 'r/example.test')
  t.equal(await peer.take(), 'route r=v1 -r/example.test')
  peer.unsubscribe('route', 'r/example.test')
  xds.put(resource('route r', 'v2'))
  t.equal(await peer.take(), 'route r=v2')
})

t.test('G1 names are given back byte for byte, as a gRPC client asks for them', async t => {
  const names = ['xds.example:8080', 'a/b?x=%20', 'ünïcode', '[::1]:80', 'UPPER.lower']
  const xds = await startXds(t, { resources: names.map(name => resource(`listener ${name}`)) })
  const stream = xds.open('sotw')
  stream.ask('listener', names)
  const response = await stream.next()
  t.same([...response.names].sort(), [...names].sort())
  for (const name of names) t.equal(response.bodies[name]?.['name'], name)
})

t.test('G6 a response that is near the limit of gRPC clients is counted and logged once; Envoy has no limit', async t => {
  const xds = await startXds(t, { resources: [resource('listener l', 'x'.repeat(3_500_000))] })
  const client = new RawClient(xds.port)
  t.teardown(() => client.close())
  for (const userAgentName of ['envoy', 'gRPC Go']) {
    const stream = client.open('sotw', 'ads', { id: userAgentName, userAgentName })
    stream.ask('listener', ['l'])
    await stream.take(['l'])
    xds.put(resource('listener l', userAgentName + 'x'.repeat(3_500_000)))
    await stream.take(['l'])
  }
  t.same(xds.faults, ['oversized', 'oversized'])
  t.equal(xds.logged.filter(line => /4 MiB/.test(line.message)).length, 1)
})

for (const protocol of ['sotw', 'delta'] as const) {
  t.test(`${protocol}: X5 whoever names clusters is sent those, told at once what is absent, and never sent everything`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('cluster b')] })
    const stream = xds.open(protocol)
    stream.ask('cluster', ['a', 'absent'])
    const response = await stream.take(['a', 'absent'])
    t.match(response, { typeUrl: typeUrls.cluster, names: ['a'], removed: protocol === 'delta' ? ['absent'] : [] })
    xds.put(resource('cluster b', 'v2'), resource('cluster c'))
    await xds.silent(t, stream, 'others')
    xds.put(resource('cluster absent'))
    t.ok((await stream.take(['a', 'absent'])).names.includes('absent'), 'made later')
  })

  t.test(`${protocol}: X2 errors of single resources are not sent, absence is told in the words that every client knows`, async t => {
    const xds = await startXds(t, { resources: [resource('listener a'), resource('endpoint e')] })
    const stream = xds.open(protocol)
    stream.ask('listener', ['absent'])
    const listeners = await stream.take(['absent'])
    t.match(listeners, { names: [], removed: protocol === 'delta' ? ['absent'] : [] }, 'the whole truth: it is not there')
    stream.ask('endpoint', ['absent'])
    if (protocol === 'delta') t.match(await stream.take(), { names: [], removed: ['absent'] })
    else await xds.silent(t, stream, 'S5: until it is made')
  })
}
