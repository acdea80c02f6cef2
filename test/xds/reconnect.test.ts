import t from 'tap'
import { type ResourceType, typeUrls } from '../../src/xds/type-urls.ts'
import { startXds } from './harness.ts'
import { resource } from './resources.ts'

const version = (id: string, content = 'v1'): string => resource(id, content).version

t.test('delta: D4 who comes back with versions is sent what differs, and told what is gone', async t => {
  for (const type of ['cluster', 'endpoint'] as const) {
    const xds = await startXds(t, { resources: [resource(`${type} a`), resource(`${type} b`, 'v2')] })
    const stream = xds.open('delta')
    const initialResourceVersions = Object.fromEntries(['a', 'b', 'c'].map(name => [name, version(`${type} ${name}`)]))
    stream.ask(type, type === 'cluster' ? ['*'] : ['a', 'b', 'c'], { initialResourceVersions })
    t.match(await stream.take(), { names: ['b'], removed: ['c'] }, type)
    await xds.silent(t, stream, 'once')
  }
})

t.test('delta: D4 if all is equal, a wildcard is answered with nothing and names are not answered', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a'), resource('endpoint a')] })
  const stream = xds.open('delta')
  stream.ask('cluster', [], { initialResourceVersions: { a: version('cluster a') } })
  t.match(await stream.take(), { typeUrl: typeUrls.cluster, names: [], removed: [] })
  stream.ask('endpoint', ['a'], { initialResourceVersions: { a: version('endpoint a') } })
  await xds.silent(t, stream, 'it has what there is')
  xds.put(resource('endpoint a', 'v2'))
  t.same((await stream.take()).names, ['a'], 'a later change is sent')
})

t.test('delta: D4 versions of names that it does not ask for any more are ignored', async t => {
  const xds = await startXds(t, { resources: [resource('endpoint a'), resource('endpoint b')] })
  const stream = xds.open('delta')
  stream.ask('endpoint', ['a'], { initialResourceVersions: { a: 'old', b: 'old', c: 'old' } })
  t.match(await stream.take(), { names: ['a'], removed: [] })
})

t.test('delta: O3 what a client came back with counts as acknowledged', async t => {
  const xds = await startXds(t, {
    resources: [resource('cluster a', 'v1', ['endpoint a']), resource('endpoint a'), resource('route r', 'v2', ['cluster a'])],
  })
  const stream = xds.open('delta')
  stream.ask('cluster', [], { initialResourceVersions: { a: version('cluster a') } })
  stream.ask('endpoint', ['a'], { initialResourceVersions: { a: version('endpoint a') } })
  stream.ask('route', ['r'], { initialResourceVersions: { r: version('route r') } })
  t.same((await stream.take()).names, [])
  t.same((await stream.take()).names, ['r'])
})

t.test('sotw: S11 named types are answered though the client says it has that version', async t => {
  const types: readonly ResourceType[] = ['endpoint', 'route', 'secret', 'cluster', 'listener']
  const xds = await startXds(t, { resources: types.map(type => resource(`${type} a`, 'v1', type === 'listener' ? ['secret a'] : [])) })
  const stream = xds.open('sotw')
  for (const type of types) {
    stream.ask(type, ['a'], { versionInfo: version(`${type} a`) })
    t.match(await stream.take(['a']), { typeUrl: typeUrls[type], names: ['a'], version: version(`${type} a`) })
  }
})

t.test('C17 two gateways with the same content give it the same versions', async t => {
  const content = [resource('cluster a'), resource('cluster b', 'v3')]
  const [one, two] = [await startXds(t, { resources: content }), await startXds(t, { resources: [...content].reverse() })]
  for (const protocol of ['sotw', 'delta'] as const) {
    const found = []
    for (const xds of [one, two]) {
      const stream = xds.open(protocol)
      stream.ask('cluster', [])
      const { version, versions } = await stream.next()
      found.push({ version: protocol === 'sotw' ? version : '', versions })
    }
    t.same(found[0], found[1], protocol)
  }
})

t.test('sotw: S16 resources are wrapped for a client that says it can read that, by either name', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const client = xds.connect()
  for (const feature of ['xds.config.resource-in-sotw', 'supports-resource-in-sotw']) {
    const stream = client.open('sotw', 'ads', { id: feature, clientFeatures: [feature] })
    stream.ask('cluster', [])
    t.match(await stream.next(), { names: ['a'], versions: { a: version('cluster a') } })
  }
  const stream = client.open('sotw', 'ads', { id: 'plain', clientFeatures: ['envoy.lrs.supports_send_all_clusters'] })
  stream.ask('cluster', [])
  t.match(await stream.next(), { names: ['a'], versions: { a: '' } })
})
