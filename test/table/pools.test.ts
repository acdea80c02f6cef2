import fc from 'fast-check'
import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import type { Override } from '../../src/model/override.ts'
import type { PoolMember, PoolRule } from '../../src/model/pool-rule.ts'
import { type ServiceKey, serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable, type TableGiven } from '../../src/table/endpoint-table.ts'
import type { PoolView, TableChange } from '../../src/table/reader.ts'
import { poolMember } from './pool-member.ts'
import { type Plain, referencePool, type Said } from './reference.ts'

const [web, old, pool] = [serviceKey('shop', 'web'), serviceKey('default', 'web'), serviceKey('shop', 'all')]
const dc1 = { name: 'dc1', type: 'consul' }
const vms = { name: 'vms', type: 'vm' }

const member = (name: string, change: Partial<PoolMember> = {}): PoolMember => poolMember(name, [web], change)

function rule(members: readonly PoolMember[], change: Partial<PoolRule> = {}): PoolRule {
  return { service: pool, mode: 'union', members, drainSeconds: 0, ...change }
}

function group(id: string, service: ServiceKey, ...endpoints: Partial<Parameters<typeof makeEndpoint>[0]>[]): EndpointGroup {
  return {
    id,
    service,
    endpoints: endpoints.map((one, index) => makeEndpoint({ address: '10.0.0.1', port: 80, id: `${id}-${String(index)}`, ...one })),
  }
}

/** `address health member` of each endpoint. */
function lines(view: PoolView | undefined): readonly string[] {
  return (view?.endpoints ?? []).map(one =>
    [one.address, one.health, one.member?.name ?? '-', ...(one.excluded === true ? ['excluded'] : [])].join(' '),
  )
}

/** A clock and one timer that a test turns. */
class Time implements TableGiven {
  at = 0
  #task: { due: number; run: () => void } | undefined
  readonly now = () => this.at
  readonly after = (ms: number, run: () => void) => {
    const task = { due: this.at + ms, run }
    this.#task = task
    return () => {
      if (this.#task === task) this.#task = undefined
    }
  }
  get due(): number | undefined {
    return this.#task?.due
  }
  pass(ms: number): void {
    this.at += ms
    const task = this.#task
    if (task === undefined || task.due > this.at) return
    this.#task = undefined
    task.run()
  }
}

t.test(
  'members select by source, type, tags, metadata, namespace and port; shared endpoints go to the lower level, then the first',
  async t => {
    const table = new EndpointTable(() => undefined)
    const a = { address: '10.0.0.1', tags: ['v2'], meta: { stage: 'prod' } }
    table.apply(
      dc1,
      [
        group(
          'g',
          web,
          a,
          { address: '10.0.0.2' },
          { address: '10.0.0.3', id: 'two' },
          { address: '10.0.0.3', id: 'two', port: 81, portName: 'admin' },
        ),
      ],
      0,
    )
    table.apply(vms, [group('h', old, { address: '10.0.0.4' }), group('i', web, { address: '10.0.0.1' })], 0)
    const seen = (...members: PoolMember[]) => {
      table.follow([rule(members)], 0)
      return lines(table.pool(pool)).map(line => line.replace(' healthy', ''))
    }
    t.same(seen(member('tags', { tags: ['v2'] })), ['10.0.0.1 tags'])
    t.same(seen(member('meta', { meta: { stage: 'prod' } })), ['10.0.0.1 meta'])
    t.same(seen(member('type', { sourceType: 'vm' })), ['10.0.0.1 type'])
    t.same(seen(member('source', { sources: ['dc1'], port: 80 })), ['10.0.0.1 source', '10.0.0.2 source', '10.0.0.3 source'])
    t.same(
      seen(member('port', { sources: ['dc1'], port: 'admin' })),
      ['10.0.0.1 port', '10.0.0.2 port', '10.0.0.3 port'],
      'one port always fits',
    )
    t.same(seen(member('both', { services: [web, old], sourceType: 'vm' })), ['10.0.0.1 both', '10.0.0.4 both'])
    t.same(seen(member('low', { level: 1, sources: ['dc1'], tags: ['v2'] }), member('high', { sourceType: 'vm' })), ['10.0.0.1 high'])
    t.same(
      table.pool(pool)?.endpoints[0]?.evidence.map(one => one.source),
      ['vms', 'dc1'],
      'with the evidence of both members',
    )
    t.same(seen(member('off', { share: 0 }), member('on', { sourceType: 'vm', share: 100, services: [old] })).length, 5)
    t.equal(lines(table.pool(pool)).filter(line => line.endsWith('excluded')).length, 4, '0 percent: known, and not told to Envoy')
  },
)

t.test('a pool named like a service takes its place, and gives it back', async t => {
  const table = new EndpointTable(() => undefined)
  const changes: TableChange[] = []
  table.onChange(change => changes.push(change))
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' }), group('h', old, { address: '10.0.0.2' })], 0)
  table.settle()
  table.follow([rule([member('m', { services: [old] })], { service: web })], 0)
  t.same(lines(table.pool(web)), ['10.0.0.2 healthy m'])
  t.same(lines(table.base(web)), ['10.0.0.1 healthy -'])
  t.same(table.basesOf(web), [old])
  t.same([...table.pools()].map(view => view.service).sort(), [old, web])
  t.same(table.size, { services: 2, endpoints: 2 })
  changes.length = 0
  table.apply(dc1, [group('g', web, { address: '10.0.0.9' })], 0)
  table.settle()
  t.equal(changes.length, 0, 'what nobody sees is no change')
  table.follow([], 0)
  table.settle()
  t.same(lines(table.pool(web)), ['10.0.0.9 healthy -'])
  t.match(changes[0]?.pools, [{ before: { mode: 'union', rule: {} }, after: { service: web } }])
  t.same(table.size, { services: 2, endpoints: 2 })
})

t.test('an equal rule changes nothing; what a change does not touch stays the same object', async t => {
  const table = new EndpointTable(() => undefined)
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' }, { address: '10.0.0.2' })], 0)
  table.apply(vms, [group('h', old, { address: '10.0.0.3' })], 0)
  const make = () => rule([member('a', { sourceType: 'consul' }), member('b', { services: [old], level: 1 })], { mode: 'priority' })
  table.follow([make()], 0)
  const before = table.pool(pool)
  table.follow([make()], 0)
  t.equal(table.pool(pool), before)
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' }, { address: '10.0.0.2', weight: 7 })], 0)
  const after = table.pool(pool)
  t.not(after, before)
  t.equal(after?.endpoints[0], before?.endpoints[0])
  t.equal(after?.endpoints[2], before?.endpoints[2])
})

t.test('the drain window: out as draining, dropped in time, taken back when it returns (discovery.md 1.5)', async t => {
  const time = new Time()
  let dirty = 0
  const table = new EndpointTable(() => dirty++, time)
  table.follow([rule([member('m')], { drainSeconds: 30 })], 0)
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' }, { address: '10.0.0.2' }, { address: '10.0.0.3', health: 'unhealthy' })], 0)
  t.equal(table.pool(pool)?.endpoints.length, 3)
  time.pass(1000)
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' })], 0)
  t.same(lines(table.pool(pool)), ['10.0.0.1 healthy m', '10.0.0.2 draining m'], 'what took no requests goes at once')
  t.match(table.pool(pool)?.endpoints[1]?.reasons, [{ code: 'removed', text: /drains for 30 s/ }])
  t.equal(time.due, 31_000)
  time.pass(10_000)
  table.apply(dc1, [group('g', web)], 0)
  t.same(lines(table.pool(pool)), ['10.0.0.1 draining m', '10.0.0.2 draining m'])
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' })], 0)
  t.same(lines(table.pool(pool)), ['10.0.0.1 healthy m', '10.0.0.2 draining m'])
  dirty = 0
  time.pass(19_999)
  t.equal(dirty, 0)
  time.pass(1)
  t.equal(dirty, 1, 'asks for settling at the end of the window')
  t.same(lines(table.pool(pool)), ['10.0.0.1 healthy m'])
  t.equal(time.due, undefined, 'and no timer is left')
})

t.test('overrides stand above all sources, on the pool or on what it is made of; taken back, all is as before', async t => {
  const given = new Map<ServiceKey, ReadonlyMap<string, Override>>()
  const table = new EndpointTable(() => undefined, { now: () => 0, after: () => () => undefined, overrides: service => given.get(service) })
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' }, { address: '10.0.0.2', health: 'unhealthy' })], 0)
  table.follow([rule([member('m')])], 0)
  const before = [table.pool(web), table.pool(pool)]
  const decide = (service: ServiceKey, address: string, action: Override['action'], value?: number) => {
    const override = {
      id: '1',
      service,
      address,
      port: 80,
      action,
      reason: 'test',
      actor: 'me',
      expiresAt: 0,
      ...(value === undefined ? {} : { value }),
    }
    given.set(service, new Map([[`${address} 80`, override]]))
    table.overridesChanged([service], 0)
  }
  decide(pool, '10.0.0.1', 'drain')
  t.same(lines(table.pool(pool)), ['10.0.0.1 draining m', '10.0.0.2 unhealthy m'])
  t.same(lines(table.pool(web)), ['10.0.0.1 healthy -', '10.0.0.2 unhealthy -'], 'the service alone is as it was')
  t.match(table.pool(pool)?.endpoints[0]?.reasons, [{ code: 'override-drain', text: 'drained by me until 1970-01-01T00:00:00.000Z: test' }])
  given.delete(pool)
  table.overridesChanged([pool], 0)
  decide(web, '10.0.0.1', 'exclude')
  t.same(lines(table.pool(web)), ['10.0.0.1 healthy - excluded', '10.0.0.2 unhealthy -'])
  t.same(lines(table.pool(pool)), ['10.0.0.1 healthy m excluded', '10.0.0.2 unhealthy m'], 'and every pool that has it follows')
  decide(web, '10.0.0.2', 'pin')
  t.same(lines(table.pool(pool)), ['10.0.0.1 healthy m', '10.0.0.2 healthy m'])
  decide(web, '10.0.0.1', 'weight', 7)
  t.equal(table.pool(pool)?.endpoints[0]?.weight, 7)
  const weighed = table.pool(web)
  table.apply(dc1, [group('g', web, { address: '10.0.0.1' }, { address: '10.0.0.2', health: 'unhealthy' })], 0)
  t.equal(table.pool(web), weighed, 'the same decision on the same word is the same view')
  given.delete(web)
  table.overridesChanged([web], 0)
  t.same(lines(table.pool(web)), lines(before[0]))
  t.same(lines(table.pool(pool)), lines(before[1]))
})

const endpoints = fc.uniqueArray(
  fc
    .record({
      address: fc.integer({ min: 1, max: 7 }).map(n => (n > 5 ? `fd00::${String(n)}` : `10.0.0.${String(n)}`)),
      additionalAddresses: fc.constantFrom([], [], [], ['fd00::6'], ['10.0.0.1']),
      port: fc.constantFrom(80, 8080),
      id: fc.constantFrom('i1', 'i2', 'i3'),
      weight: fc.integer({ min: 1, max: 200 }),
      health: fc.constantFrom('healthy' as const, 'draining' as const, 'unhealthy' as const, 'unknown' as const),
      presence: fc.constantFrom('live' as const, 'suspect' as const, 'expired' as const),
      tags: fc.subarray(['v1', 'v2']),
      meta: fc.constantFrom({}, { stage: 'prod' }),
    })
    .map(makeEndpoint),
  { maxLength: 4, selector: one => `${one.address}:${String(one.port)}` },
)
const sources = [dc1, { name: 'k', type: 'kubernetes' }, vms] as const
const steps = fc.array(
  fc.record({
    source: fc.constantFrom(...sources),
    id: fc.constantFrom('g1', 'g2'),
    service: fc.constantFrom(web, old),
    endpoints,
    kind: fc.constantFrom('apply' as const, 'apply' as const, 'apply' as const, 'prune' as const, 'rule' as const, 'stale' as const),
    settle: fc.boolean(),
  }),
  { maxLength: 25 },
)
const members = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      services: fc.constantFrom([web], [old], [web, old]),
      sourceType: fc.constantFrom(undefined, 'consul', 'vm'),
      sources: fc.constantFrom(undefined, ['dc1'], ['k', 'vms']),
      tags: fc.constantFrom([], ['v1']),
      meta: fc.constantFrom({}, { stage: 'prod' }),
      level: fc.integer({ min: 0, max: 3 }),
    }),
    { minLength: 1, selector: one => one.name },
  )
  .map(all => all.map(one => member(one.name, one)))

function plain(view: PoolView | undefined): readonly Plain[] {
  return (view?.endpoints ?? [])
    .map(one => ({
      at: `${one.address} ${String(one.port)} ${one.protocol}`,
      beside: one.additionalAddresses,
      health: one.health,
      presence: one.presence,
      weight: one.weight,
      sources: [...new Set(one.evidence.map(evidence => evidence.source))].sort(),
      decides: one.winner.source,
      member: one.member?.name ?? '',
    }))
    .sort((a, b) => (a.at < b.at ? -1 : 1))
}

t.test('any sequence over three sources, with rules that come, change and go, is what the slow reference says', async t => {
  fc.assert(
    fc.property(
      steps,
      members,
      members,
      fc.constantFrom(pool, web),
      fc.constantFrom([], ['consul'], ['k', 'dc1']),
      (given, first, second, service, trust) => {
        const table = new EndpointTable(() => undefined, { now: () => 0, after: () => () => undefined, trust })
        const stale = new Set<string>()
        const said = new Map<string, Said>()
        let rules: readonly PoolRule[] = []
        let turn = 0
        for (const step of given) {
          if (step.kind === 'rule') {
            const choices = [[rule(first, { service })], [rule(second, { service })], []]
            rules = choices[turn++ % choices.length] ?? []
            table.follow(rules, 0)
          } else if (step.kind === 'stale') {
            const isStale = !stale.delete(step.source.name)
            if (isStale) stale.add(step.source.name)
            table.setStale(step.source.name, isStale, 0)
          } else if (step.kind === 'prune') {
            table.prune(step.source.name, new Set([step.id]), 0)
            for (const [key, one] of said) if (one.source === step.source.name && one.group.id !== step.id) said.delete(key)
          } else {
            const next: EndpointGroup = { id: step.id, service: step.service, endpoints: step.endpoints }
            table.apply(step.source, [next], 0)
            said.set(`${step.source.name} ${step.id}`, { source: step.source.name, type: step.source.type, group: next })
          }
          if (step.settle) table.settle()
        }
        const all = [...said.values()]
        for (const key of [web, old, pool]) {
          const expected = referencePool(all, rules.find(one => one.service === key) ?? key, { trust, stale })
          t.strictSame(plain(table.pool(key)), expected)
        }
        // Nothing is left out in silence: what a source names is in the view of its service, and each loser is named by the winner.
        for (const view of table.pools())
          for (const one of view.endpoints) if (one.evidence.length > 1) t.ok(one.reasons.some(reason => reason.code === 'merged'))
        const total = [...table.pools()].reduce((sum, view) => sum + view.endpoints.length, 0)
        t.equal(table.size.endpoints, total)
        const before = [...table.pools()]
        table.follow(structuredClone(rules), 0)
        t.ok(
          [...table.pools()].every((view, index) => view === before[index]),
          'idempotent',
        )
      },
    ),
    { numRuns: 150 },
  )
})

t.test('a pool judges checks by its own policy; what it leaves out is as the source has it (discovery.md 2.4)', async t => {
  const check = (CheckID: string, Status: string, ServiceID = 's') => ({ CheckID, Status, ServiceID })
  const table = new EndpointTable(() => undefined)
  const checks = (...list: ReturnType<typeof check>[]) => ({ list, policy: { warning: 'degraded' as const } })
  const critical = { code: 'check-critical', text: 'critical: http' }
  table.apply(
    dc1,
    [
      group(
        'g',
        web,
        { address: '10.0.0.1', health: 'degraded', checks: checks(check('http', 'warning')) },
        {
          address: '10.0.0.2',
          health: 'unhealthy',
          reasons: [critical],
          checks: checks(check('http', 'critical'), check('tcp', 'passing')),
        },
        { address: '10.0.0.3', health: 'unhealthy', checks: checks(check('disk', 'critical', '')) },
        { address: '10.0.0.4', health: 'draining', checks: checks(check('http', 'warning')) },
        {
          address: '10.0.0.5',
          health: 'unhealthy',
          reasons: [{ code: 'weight-zero', text: '0' }],
          checks: checks(check('http', 'warning')),
        },
      ),
    ],
    0,
  )
  const seen = (health: PoolMember['health']) => {
    table.follow([rule([member('m', health === undefined ? {} : { health })])], 0)
    return (table.pool(pool)?.endpoints ?? []).map(one => one.health).join(' ')
  }
  t.equal(seen(undefined), 'degraded unhealthy unhealthy draining unhealthy')
  t.equal(seen({ warning: 'healthy' }), 'healthy unhealthy unhealthy draining unhealthy')
  t.equal(seen({ requiredChecks: 'any' }), 'degraded healthy unhealthy draining unhealthy')
  t.match(
    table.pool(pool)?.endpoints[1]?.reasons.map(reason => reason.code),
    ['check-tolerated', 'pool-health'],
    'the reason of the source is replaced by that of the pool',
  )
  t.equal(seen({ ignoreChecks: ['http'] }), 'healthy healthy unhealthy draining unhealthy')
  t.equal(seen({ nodeChecks: 'none' }), 'degraded unhealthy healthy draining unhealthy')
})
