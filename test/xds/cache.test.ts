import t, { type Test } from 'tap'
import { ResourceCache, type Watcher } from '../../src/xds/cache.ts'
import { ManualClock } from '../envoy/manual-clock.ts'
import { deferResource, tentatively } from '../../src/xds/resource.ts'
import { key, resource } from './resources.ts'

/** A cache with a watcher that writes down what it is told. */
function setUp(t: Test, retireMs?: number) {
  const clock = new ManualClock()
  const cache = new ResourceCache({ clock, ...(retireMs !== undefined && { retireMs }) })
  t.teardown(() => cache.close())
  const told: string[] = []
  const watcher: Watcher = {
    changed: (type, name, receivedAt) => void told.push([type, name, ...(receivedAt === undefined ? [] : [receivedAt])].join(' ')),
  }
  const put = (...resources: ReturnType<typeof resource>[]): void => cache.patch({ upsert: resources, remove: [] })
  const remove = (...ids: string[]): void => cache.patch({ upsert: [], remove: ids.map(key) })
  return { clock, cache, told, watcher, put, remove }
}

const chain = () => [resource('route r', 'v1', ['cluster c']), resource('cluster c', 'v1', ['endpoint c']), resource('endpoint c')]

t.test('a change is told to those who watch the name, or everything of the type, once each', t => {
  const { cache, told, watcher, put, remove } = setUp(t)
  cache.watch(watcher, 'endpoint', 'a')
  put(resource('endpoint a'), resource('endpoint b'), resource('cluster a'))
  t.same(told.splice(0), ['endpoint a'])
  cache.watch(watcher, 'endpoint', '*')
  put(resource('endpoint a', 'v2'), resource('endpoint b', 'v2'))
  t.same(told.splice(0), ['endpoint a', 'endpoint b'])
  remove('endpoint a', 'endpoint absent')
  t.same(told.splice(0), ['endpoint a'])
  t.same(cache.kept, { watches: 2, uses: 0 })
  cache.unwatch(watcher, 'endpoint', '*')
  cache.unwatch(watcher, 'endpoint', 'a')
  put(resource('endpoint a', 'v3'))
  t.same(told, [])
  t.same(cache.kept, { watches: 0, uses: 0 })
  t.end()
})

t.test('what is deferred is encoded when it is read, once, and not as long as nobody watches it', t => {
  const { cache, told, watcher } = setUp(t)
  let encoded = 0
  const deferred = (text: string) =>
    deferResource('endpoint', 'a', () => {
      encoded++
      return Buffer.from(text)
    })
  const put = (text: string): void => cache.patch({ upsert: [deferred(text)], remove: [] })
  put('one')
  put('two')
  t.equal(encoded, 0)
  t.equal(cache.get('endpoint', 'a')?.bytes.toString(), 'two')
  t.equal(cache.get('endpoint', 'a')?.version, deferred('two').version)
  t.equal(encoded, 2, 'once for the one in the cache, once for the other')
  const wavering = tentatively(deferred('two'))
  t.equal(wavering.tentative, true)
  t.equal(encoded, 2)
  t.equal(wavering.version, cache.get('endpoint', 'a')?.version)
  cache.watch(watcher, 'endpoint', 'a')
  put('two')
  t.same(told, [], 'equal content is no change')
  put('three')
  t.same(told, ['endpoint a'])
  t.end()
})

t.test('C18 an equal version is no change, and the time of the data is passed on', t => {
  const { cache, told, watcher } = setUp(t)
  cache.watch(watcher, 'endpoint', '*')
  cache.patch({ upsert: [resource('endpoint a')], remove: [] }, 42)
  const first = cache.get('endpoint', 'a')
  cache.patch({ upsert: [resource('endpoint a')], remove: [] }, 43)
  t.same(told, ['endpoint a 42'])
  t.equal(cache.get('endpoint', 'a'), first, 'the object that streams share stays')
  t.end()
})

t.test('what nothing requires is removed at once', t => {
  const { cache, told, watcher, put, remove } = setUp(t)
  cache.watch(watcher, 'cluster', '*')
  put(...chain())
  told.length = 0
  remove('cluster c', 'endpoint c', 'route r')
  t.same(told, ['cluster c'], 'the whole chain in one patch, in any order')
  t.same(
    [...cache.counts()].filter(([, count]) => count > 0),
    [],
  )
  t.match(cache.retirement, { waiting: 0, forced: 0 })
  t.end()
})

t.test('O2 what something that is served requires stays, and its own requirements with it', t => {
  const { cache, told, watcher, put, remove } = setUp(t)
  for (const type of ['cluster', 'endpoint'] as const) cache.watch(watcher, type, '*')
  put(...chain())
  told.length = 0
  remove('endpoint c', 'cluster c')
  t.same(told, [])
  t.match(cache.retirement, { waiting: 2, forced: 0 })
  put(resource('route r', 'v2'))
  t.same(told, ['cluster c', 'endpoint c'], 'in the order that they may go')
  t.match(cache.retirement, { waiting: 0, forced: 0 })
  t.end()
})

t.test('O2 what a client may be using keeps what it requires, until the last one lets go', t => {
  const { cache, put, remove } = setUp(t)
  put(...chain())
  const route = cache.get('route', 'r')
  if (route === undefined) throw new Error('no route')
  cache.hold(route)
  cache.hold(route)
  t.same(cache.kept, { watches: 0, uses: 2 })
  remove('route r', 'cluster c', 'endpoint c')
  t.equal(cache.get('route', 'r'), undefined, 'the route itself goes')
  cache.release(route)
  t.ok(cache.get('cluster', 'c'))
  t.ok(cache.get('endpoint', 'c'))
  cache.release(route)
  t.equal(cache.get('cluster', 'c'), undefined)
  t.equal(cache.get('endpoint', 'c'), undefined)
  t.same(cache.kept, { watches: 0, uses: 0 })
  t.end()
})

t.test('O2 retirement is bounded in time, each by its own', async t => {
  const { cache, clock, put, remove } = setUp(t, 1_000)
  put(resource('route r', 'v1', ['cluster a', 'cluster b']), resource('cluster a'), resource('cluster b'))
  remove('cluster a')
  clock.advance(400)
  remove('cluster b')
  t.match(cache.retirement, { waiting: 2, forced: 0 })
  clock.advance(600)
  await clock.untilAsleep(400)
  t.equal(cache.get('cluster', 'a'), undefined)
  t.ok(cache.get('cluster', 'b'))
  t.match(cache.retirement, { waiting: 1, forced: 1 })
  clock.advance(400)
  await Promise.resolve()
  t.match(cache.retirement, { waiting: 0, forced: 2 })
  put(resource('cluster a'))
  remove('cluster a')
  t.match(cache.retirement, { waiting: 1, forced: 2 }, 'the route that is served still requires it')
})

t.test('a retired resource that is put again lives on; equal bytes are no change', async t => {
  const { cache, clock, told, watcher, put, remove } = setUp(t, 1_000)
  put(...chain())
  cache.watch(watcher, 'cluster', '*')
  remove('cluster c')
  put(resource('cluster c', 'v1', ['endpoint c']))
  t.match(cache.retirement, { waiting: 0 })
  clock.advance(1_000)
  await Promise.resolve()
  t.ok(cache.get('cluster', 'c'), 'the time of the first removal is forgotten')
  t.same(told, [])
  t.end()
})

t.test('a patch that moves what is required from one resource to another drops nothing in between', t => {
  const { cache, told, watcher, put } = setUp(t)
  put(...chain())
  cache.watch(watcher, 'cluster', 'c')
  cache.patch({ upsert: [resource('route s', 'v1', ['cluster c'])], remove: [key('route r')] })
  cache.patch({ upsert: [resource('route s', 'v2'), resource('route q', 'v1', ['cluster c'])], remove: [] })
  t.same(told, [])
  t.ok(cache.get('cluster', 'c'))
  t.end()
})

t.test('the last good version of clusters and listeners is known for as long as they exist', t => {
  const { cache, put, remove } = setUp(t)
  const good = resource('cluster a')
  put(good)
  cache.acknowledged(good)
  put(resource('cluster a', 'bad'))
  t.equal(cache.good('cluster', 'a'), good)
  t.equal(cache.good('cluster', 'b'), undefined)
  cache.acknowledged(resource('cluster b'))
  t.equal(cache.good('cluster', 'b'), undefined, 'late acknowledgements of what is gone leave nothing')
  remove('cluster a')
  t.equal(cache.good('cluster', 'a'), undefined)
  t.end()
})

t.test('a closed cache has no timer', async t => {
  const { cache, clock, put, remove } = setUp(t, 1_000)
  put(...chain())
  remove('cluster c')
  await clock.untilAsleep(1_000)
  cache.close()
  await Promise.resolve()
  clock.advance(1_000)
  await Promise.resolve()
  t.ok(cache.get('cluster', 'c'))
  t.equal(cache.retirement.forced, 0)
})
