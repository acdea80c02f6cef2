import t from 'tap'
import { tentatively } from '../../src/xds/resource.ts'
import { startXds } from './harness.ts'
import { resource } from './resources.ts'

const version = (id: string, content = 'v1'): string => resource(id, content).version

t.test('who comes back with a copy keeps it until the resource is firm; who is new takes it as it is (discovery.md 5.7)', async t => {
  for (const protocol of ['delta', 'sotw'] as const) {
    const xds = await startXds(t, { resources: [tentatively(resource('endpoint a', 'empty')), resource('endpoint b', 'v2')] })
    const had =
      protocol === 'delta' ? { initialResourceVersions: { a: version('endpoint a'), b: version('endpoint b') } } : { versionInfo: 'any' }
    const back = xds.open(protocol, 'ads', 'back')
    back.ask('endpoint', ['a', 'b'], had)
    t.same((await back.take(['a', 'b'])).names, ['b'], `${protocol}: what is firm is sent`)
    await xds.silent(t, back, `${protocol}: what is tentative is not`)

    const fresh = xds.open(protocol, 'ads', 'fresh')
    fresh.ask('endpoint', ['a', 'b'])
    t.same((await fresh.take(['a', 'b'])).names.toSorted(), ['a', 'b'], protocol)

    xds.put(tentatively(resource('endpoint a', 'half')))
    t.same((await fresh.take(['a', 'b'])).names, ['a'], `${protocol}: who was sent one here is sent the next one`)
    await xds.silent(t, back, `${protocol}: a fuller one is tentative still`)

    xds.put(resource('endpoint a', 'half'))
    t.same((await back.take(['a', 'b'])).versions, protocol === 'delta' ? { a: version('endpoint a', 'half') } : { a: '' }, protocol)
    await xds.silent(t, fresh, `${protocol}: it has that version already`)
    await xds.silent(t, back, `${protocol}: once`)
  }
})

t.test('delta: a copy that turns out to be right is not sent, nor is what becomes firm with it', async t => {
  const xds = await startXds(t, { resources: [tentatively(resource('endpoint a'))] })
  const stream = xds.open('delta')
  stream.ask('endpoint', ['a'], { initialResourceVersions: { a: version('endpoint a') } })
  await xds.silent(t, stream, 'it has that')
  xds.put(resource('endpoint a'))
  await xds.silent(t, stream, 'it has that still')
  xds.put(resource('endpoint a', 'v2'))
  t.same((await stream.take()).names, ['a'])
})

t.test('delta: routes do not wait for the assignment that their client keeps (O3)', async t => {
  const xds = await startXds(t, {
    resources: [
      resource('cluster a', 'v1', ['endpoint a']),
      tentatively(resource('endpoint a', 'empty')),
      resource('route r', 'v2', ['cluster a']),
    ],
  })
  const stream = xds.open('delta')
  stream.ask('cluster', [], { initialResourceVersions: { a: version('cluster a') } })
  t.same((await stream.take()).names, [])
  stream.ask('endpoint', ['a'], { initialResourceVersions: { a: version('endpoint a') } })
  stream.ask('route', ['r'], { initialResourceVersions: { r: version('route r') } })
  t.same((await stream.take()).names, ['r'])
})

t.test('delta: a cluster that is sent again does not draw a tentative assignment after it: Envoy falls back to its own (O4)', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a', 'v2', ['endpoint a']), tentatively(resource('endpoint a', 'empty'))] })
  const stream = xds.open('delta')
  stream.ask('cluster', [], { initialResourceVersions: { a: version('cluster a') } })
  t.same((await stream.take()).names, ['a'])
  stream.ask('endpoint', ['a'], { initialResourceVersions: { a: version('endpoint a') } })
  await xds.silent(t, stream, 'it has one')
  xds.put(resource('endpoint a', 'v2'))
  t.same((await stream.take()).names, ['a'])
})
