import t, { type Test } from 'tap'
import { ResourceCache } from '../../src/xds/cache.ts'
import { makeResource, type Resource, type ResourceKey } from '../../src/xds/resource.ts'
import { Subscription, type View } from '../../src/xds/subscription.ts'
import { ManualClock } from '../envoy/manual-clock.ts'
import { key, resource } from './resources.ts'

function onDemand(id: string, content?: string): Resource {
  const { type, name, bytes } = resource(id, content)
  return makeResource(type, name, bytes, [], true)
}

function setUp(t: Test) {
  const asked: string[] = []
  const line = (sign: string) => (id: ResourceKey) => void asked.push(`${sign}${id.type} ${id.name}`)
  const cache = new ResourceCache({ clock: new ManualClock(), names: { asked: line('+'), unasked: line('-') } })
  t.teardown(() => cache.close())
  const put = (...resources: readonly Resource[]) => cache.patch({ upsert: resources, remove: [] })
  const told: string[] = []
  const watcher = { changed: (type: string, name: string) => void told.push(`${type} ${name}`) }
  return { asked, cache, put, told, watcher }
}

/** A client of all listeners or some, and what its next response holds: names, and `-name` for what it is told to drop. */
function client(cache: ResourceCache, protocol: 'sotw' | 'delta') {
  const subscription = new Subscription('listener', protocol, cache)
  const view: View = {
    get: name => cache.get('listener', name),
    all: () => cache.all('listener'),
    good: name => cache.good('listener', name),
    held: () => false,
  }
  let nonces = 0
  let last = ''
  const base = { node: undefined, typeUrl: '', error: undefined }
  return {
    subscription,
    sotw: (...names: string[]) => subscription.sotw({ ...base, protocol: 'sotw', nonce: last, version: '', names }, view),
    delta: (subscribe: string[], unsubscribe: string[] = []) =>
      subscription.delta({ ...base, protocol: 'delta', nonce: last, subscribe, unsubscribe, initialVersions: new Map() }, view),
    next() {
      const sent = subscription.next(view, () => (last = String(++nonces)))
      return sent && [...sent.resources.map(one => one.name), ...sent.removed.map(name => `-${name}`)].sort()
    },
  }
}

t.test('the first and the last watcher of a name are told of, while nothing else makes it exist', async t => {
  const { asked, cache, put, watcher } = setUp(t)
  const other = { changed: () => undefined }
  put(resource('listener real'))
  cache.watch(watcher, 'listener', 'real')
  cache.watch(watcher, 'listener', '*')
  t.same(asked, [])
  cache.watch(watcher, 'listener', 'a')
  cache.watch(other, 'listener', 'a')
  t.same(asked.splice(0), ['+listener a'])
  cache.unwatch(watcher, 'listener', 'a')
  t.same(asked, [])
  cache.unwatch(other, 'listener', 'a')
  t.same(asked.splice(0), ['-listener a'])
  put(onDemand('listener a'))
  cache.watch(watcher, 'listener', 'a')
  t.same(asked.splice(0), ['+listener a'], 'what is left over from the last time does not count')
})

t.test('changes of what exists on demand are told to those who named it alone, though they watch everything', async t => {
  const { cache, put, told, watcher } = setUp(t)
  cache.watch(watcher, 'listener', '*')
  put(onDemand('listener a'))
  t.same(told, [])
  t.same([...cache.all('listener')], [])
  cache.watch(watcher, 'listener', 'a')
  put(onDemand('listener a', 'v2'))
  cache.patch({ upsert: [], remove: [key('listener a')] })
  t.same(told.splice(0), ['listener a', 'listener a'])
  put(resource('listener a', 'v2'))
  put(onDemand('listener a', 'v2'))
  t.same(told, ['listener a', 'listener a'], 'also that it ceased to be for all')
})

t.test('who asks for everything is not sent what exists on demand, unless it is named, too', async t => {
  for (const protocol of ['sotw', 'delta'] as const) {
    const { cache, put } = setUp(t)
    put(resource('listener real'), onDemand('listener a'))
    const wild = client(cache, protocol)
    if (protocol === 'sotw') wild.sotw()
    else wild.delta([])
    t.same(wild.next(), ['real'], protocol)
    if (protocol === 'sotw') wild.sotw('*', 'a')
    else wild.delta(['a'])
    t.same(wild.next(), protocol === 'sotw' ? ['a', 'real'] : ['a'])
    if (protocol === 'sotw') {
      wild.sotw('*')
      wild.subscription.changed('a')
      t.same(wild.next(), ['real'])
    } else {
      wild.delta([], ['a'])
      t.same(wild.next(), ['-a'], 'D11 it is no part of everything')
    }
  }
})

t.test('who names it gets it', async t => {
  for (const protocol of ['sotw', 'delta'] as const) {
    const { cache, put } = setUp(t)
    put(resource('listener real'), onDemand('listener a'))
    const one = client(cache, protocol)
    if (protocol === 'sotw') one.sotw('a')
    else one.delta(['a'])
    t.same(one.next(), ['a'], protocol)
  }
})
