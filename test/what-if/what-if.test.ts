import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import type { Override } from '../../src/model/override.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import type { Difference } from '../../src/what-if/difference.ts'
import type { SuspectSource } from '../../src/what-if/stages.ts'
import type { Consequences } from '../../src/what-if/what-if.ts'
import { base, between, type Instance, isNone, mapping, override, pool, SmallWorld, type SourceName, types } from './small-world.ts'

/** Issue: "difference of endpoints, clusters, routes and traffic shares, computed by the same pure code on a copy, nothing published". */

const web: readonly Instance[] = [
  { source: 'dc1', service: 'web', host: 1 },
  { source: 'dc1', service: 'web', host: 2 },
  { source: 'vms', service: 'web', host: 2 },
  { source: 'vms', service: 'web', host: 3 },
]
const manifests = base + mapping('web', 'prefix: /web/, service: web')

/** So many percent to VMs, the rest to Consul. */
function slider(percent: number): string {
  const members = `{name: new, vm: {service: web}, weight: ${percent}}, {name: old, consul: {service: web, source: dc1}, weight: ${100 - percent}}`
  return pool('web', `mode: weighted, drainSeconds: 0, members: [${members}]`)
}

function suspect(name: SourceName, change: Partial<SuspectSource> = {}): SuspectSource {
  const leased = types[name] === 'vm'
  return { name, type: types[name], state: 'down', endpoints: 2, leased, guards: undefined, ...change }
}

function only({ stages }: Consequences): Difference {
  const [stage, more] = stages
  if (stage === undefined || more !== undefined) throw new Error(`${String(stages.length)} stages`)
  return stage.difference
}

const edited = (text: string) => ({ files: [{ file: 'edit.yaml', text }] })

t.test('an edited pool: endpoints, shares, cluster and route', async t => {
  const world = new SmallWorld(web, manifests)
  const before = world.now
  const asked = world.ask(edited(slider(80)))
  const { endpoints, traffic, clusters, routes, objects, findings, listeners } = only(asked)
  t.same(asked.notes, [])
  t.same(
    endpoints.map(one => [one.before?.address, one.before?.member, one.after?.member, one.after?.sources]),
    [
      ['10.0.0.1', undefined, 'old', ['dc1']],
      ['10.0.0.2', undefined, 'new', ['vms', 'dc1']],
      ['10.0.0.3', undefined, 'new', ['vms']],
    ],
  )
  const [change] = traffic
  t.same([change?.service, change?.before?.used, change?.after?.used, traffic.length], ['default/web', 3, 3, 1])
  t.same(Object.fromEntries(change?.before?.bySource ?? []), { dc1: 33.33, vms: 66.67 })
  t.same(Object.fromEntries(change?.after?.byMember ?? []), { old: 20, new: 80 })
  t.equal(clusters.length, 2, 'a cluster with locality weights takes the place of the one without')
  t.same(
    routes.map(one => one.fields),
    [['action.cluster']],
  )
  t.match(objects, [{ before: undefined, after: { ref: { kind: 'ServicePool' }, state: 'accepted' } }])
  t.same([findings, listeners], [[], []])
  t.ok(isNone(between(before, world.now)), 'the gateway itself is as it was')
})

t.test('an edited slider moves shares and nothing else', async t => {
  const { traffic, ...rest } = only(new SmallWorld(web, manifests + slider(20)).ask(edited(slider(60))))
  t.ok(isNone({ ...rest, traffic: [] }))
  t.same(
    traffic.map(one => [one.before, one.after].map(side => Object.fromEntries(side?.byMember ?? []))),
    [
      [
        { old: 80, new: 20 },
        { old: 40, new: 60 },
      ],
    ],
  )
})

t.test('shares are those of Envoys at a place, where a pool prefers zones', async t => {
  const zoned = (['a', 'b', 'b'] as const).map((zone, index) => ({ source: 'dc1', service: 'web', host: index + 1, zone }) as const)
  const preferring = pool('web', 'locality: {prefer: zone}, members: [{name: all, consul: {service: web}}]')
  const world = new SmallWorld(zoned, manifests + preferring)
  const drain = (place?: { zone: string; region: string }) => {
    const { traffic } = only(world.ask({ overrides: [override({ action: 'drain' })], ...(place === undefined ? {} : { place }) }))
    return traffic.map(one => [one.before, one.after].map(side => Object.fromEntries(side?.byZone ?? [])))
  }
  t.same(drain({ zone: 'a', region: '' }), [
    [
      { a: 100, b: 0 },
      { a: 0, b: 100 },
    ],
  ])
  t.same(drain({ zone: 'b', region: '' }), [], 'nothing changes for those that do not use it')
  t.same(drain(), [[{}, {}]])
})

t.test('a source that is down: at once nothing, then what its settings say, then all of it', async t => {
  const world = new SmallWorld(web, manifests)
  /** `CODE: ADDRESS goes, …`. */
  const lines = (name: SourceName, change: Partial<SuspectSource> = {}) =>
    world.ask({ sources: [suspect(name, change)] }).stages.map(({ code, difference: { endpoints } }) => {
      const changes = endpoints.map(
        ({ before, after }) =>
          `${before?.address ?? ''} ${after === undefined ? 'goes' : `${after.health} ${after.presence} ${after.sources.join('+')}`}`,
      )
      return `${code}: ${changes.join(', ')}`
    })
  t.same(lines('dc1'), ['at-once: ', 'overdue: ', 'gone: 10.0.0.1 goes, 10.0.0.2 healthy live vms'])
  t.equal(lines('dc1', { guards: { onStale: 'degrade' } })[1], 'overdue: 10.0.0.1 healthy suspect dc1')
  t.equal(lines('dc1', { guards: { onStale: 'drop' } })[1], 'overdue: 10.0.0.1 goes, 10.0.0.2 healthy live vms')
  t.same(
    new SmallWorld(web, manifests + pool('web', 'drainSeconds: 0, guards: {onStale: drop}, members: [{name: all, consul: {service: web}}]'))
      .ask({ sources: [suspect('dc1')] })
      .stages.map(one => one.difference.endpoints.length),
    [0, 2, 2],
    'a ServicePool says it for its services',
  )
  t.equal(lines('vms')[1], 'overdue: 10.0.0.2 healthy live dc1+vms, 10.0.0.3 unhealthy expired vms', 'leases run out; dc1 vouches for .2')
  t.same(lines('vms', { state: 'gone' }), ['at-once: 10.0.0.2 healthy live dc1, 10.0.0.3 goes'])
  const both = world.ask({ sources: [suspect('dc1', { state: 'gone' }), suspect('vms', { state: 'gone' })] })
  t.match(only(both).findings, [{ code: 'no-endpoints', text: /^default\/web would have no endpoint: / }])
})

t.test('objects: refused with their place, deleted, kept in their last good version', async t => {
  const world = new SmallWorld(web, manifests)
  const refused = only(world.ask(edited(mapping('web', 'prefix: /web/, service: web, weight: 300'))))
  t.match(refused.findings, [{ code: 'object-refused', subject: 'Mapping/default/web', text: /^edit\.yaml:\d+: spec\.weight.*last good/ }])
  t.same([refused.routes, refused.endpoints], [[], []], 'its last good version serves')
  const deleted = only(world.ask({ without: ['Mapping/default/web'] }))
  t.match([deleted.routes, deleted.clusters, deleted.objects], [[{ after: undefined }], [{ after: undefined }], [{ after: undefined }]])
  const twice = only(world.ask(edited(slider(10) + slider(20))))
  t.match(twice.findings, [{ code: 'object-refused', text: /already stands at/ }], 'the same object twice')
  for (const [question, code] of [
    [edited('a: ['), 'manifest-unreadable'],
    [edited('kind: Mapping'), 'manifest-invalid'],
    [edited('# nothing'), 'manifest-invalid'],
    [{ without: ['Mapping/default/nope'] }, 'object-unknown'],
  ] as const)
    t.throws(() => world.ask(question), { code }, code)
})

t.test('an override of an endpoint that nobody names is told to wait', async t => {
  const asked = new SmallWorld(web, manifests).ask({ overrides: [override({ action: 'drain', address: '10.0.0.9' })] })
  t.match(asked.notes, [/10\.0\.0\.9 port 80 of default\/web.*wait/])
  t.ok(isNone(only(asked)))
})

const names = Object.keys(types) as SourceName[]
const service = fc.constantFrom('web', 'shop')
const host = fc.integer({ min: 1, max: 4 })
const instance: fc.Arbitrary<Instance> = fc.record({
  ...{ source: fc.constantFrom(...names), service, host },
  health: fc.constantFrom('healthy', 'healthy', 'unhealthy', 'draining'),
  tags: fc.subarray(['a', 'b']),
})
const member = fc.record({ type: fc.constantFrom('vm', 'consul', 'file'), service, tags: fc.subarray(['a']) })
const somePool = fc
  .record({
    name: fc.constantFrom('web', 'all'),
    mode: fc.constantFrom('union', 'priority', 'weighted', 'failover'),
    members: fc.array(member, { minLength: 1, maxLength: 3 }),
  })
  .map(({ name, mode, members }) => {
    const list = members.map((one, index) => `{name: m${index}, ${one.type}: {service: ${one.service}, tags: [${one.tags.join()}]}}`)
    return [`pool-${name}.yaml`, pool(name, `mode: ${mode}, drainSeconds: 30, members: [${list.join()}]`)] as const
  })
const someMapping = fc
  .record({
    name: fc.constantFrom('m1', 'm2'),
    to: fc.constantFrom('web', 'shop', 'all', 'nobody'),
    weight: fc.constantFrom('', ', weight: 30', ', weight: 200'),
  })
  .map(({ name, to, weight }) => [`mapping-${name}.yaml`, mapping(name, `prefix: /p/, service: ${to}${weight}`)] as const)
const someOverride: fc.Arbitrary<Override> = fc
  .record({ action: fc.constantFrom('drain', 'exclude', 'pin', 'weight'), host, to: fc.constantFrom('web', 'shop', 'all') })
  .map(({ action, host: last, to }) => {
    const value = action === 'weight' ? { value: 7 } : {}
    return override({ action, id: `${to} ${last}`, address: `10.0.0.${last}`, service: serviceKey('default', to), ...value })
  })
const files = fc
  .tuple(fc.array(somePool, { maxLength: 2 }), fc.array(someMapping, { maxLength: 2 }))
  .map(([pools, mappings]) => Object.fromEntries([...pools, ...mappings]))
const instances = fc.uniqueArray(instance, { maxLength: 12, selector: one => `${one.source} ${one.service} ${one.host}` })
const lost = fc.tuple(fc.constantFrom('down', 'gone'), fc.subarray(names))
const overrides = fc.uniqueArray(someOverride, { maxLength: 3, selector: one => one.id })

t.test('what-if of nothing is no difference; what-if of something is what doing it gives', async t => {
  let differed = 0
  fc.assert(
    fc.property(instances, files, overrides, files, overrides, lost, (found, now, decided, next, more, [state, these]) => {
      const world = new SmallWorld(found, base)
      world.write(now)
      world.override(decided)
      const before = world.now
      if (!isNone(only(world.ask({})))) return false
      const unset = decided.slice(0, 1).map(one => one.id)
      const [said] = world.ask({
        files: Object.entries(next).map(([file, text]) => ({ file, text })),
        ...{ overrides: more, unset },
        sources: these.map(name => suspect(name, { state })),
      }).stages
      if (!isNone(between(before, world.now))) return false
      const left = decided.filter(one => !unset.includes(one.id) && !more.some(other => other.id === one.id))
      world.override([...left, ...more])
      for (const name of these) world.lose(name, state)
      world.write(next)
      const real = between(before, world.now)
      if (!isNone(real)) differed++
      return isDeepStrictEqual(said?.difference, real)
    }),
    { numRuns: 300 },
  )
  t.ok(differed > 100, `most of them change something (${differed})`)
})
