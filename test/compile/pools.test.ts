import t from 'tap'
import { serviceKey } from '../../src/model/service-key.ts'
import { poolNames } from '../../src/compose/pool-names.ts'
import type { KnownSource } from '../../src/compile/pools/pool-rules.ts'
import { compiled, type Given, host, knows, listener, mapping, object, Round, routeLines } from './fixtures.ts'

const sources: readonly KnownSource[] = [
  { name: 'dc1', type: 'consul', namespace: 'default', datacenter: 'dc1' },
  { name: 'dc2', type: 'consul', namespace: 'legacy', datacenter: 'dc2' },
  { name: 'cluster-a', type: 'kubernetes', namespace: 'default', datacenter: undefined },
  { name: 'vms', type: 'vm', namespace: 'default', datacenter: undefined },
]

function pool(spec: string, place = 'shop/payments'): string {
  return object('ServicePool', place, `{${spec}}`)
}

/** What became of the one pool of a configuration. */
function statusOf(spec: string, given: Given = { sources }): string {
  const round = new Round(given)
  round.apply(listener, host, pool(spec))
  return round.status('ServicePool', 'payments')
}

t.test('members: one selector each, its names resolved to keys and sources (interface.md, ServicePool)', async t => {
  const { pools } = compiled(
    [
      pool(`mode: weighted, members: [
        {name: pods, kubernetes: {service: payments, port: http, source: cluster-a}, weight: 80},
        {consul: {service: pay, datacenter: dc2, tags: [v2], meta: {stage: prod}}},
        {vm: {service: payments}},
        {any: {service: payments, namespace: other}, priority: 1}]`),
    ],
    { sources },
  )
  const [rule] = pools
  t.match(rule, { service: 'shop/payments', mode: 'weighted', drainSeconds: 30 })
  t.same(rule?.members, [
    {
      ...{ name: 'pods', services: ['shop/payments'], sourceType: 'kubernetes', sources: ['cluster-a'], port: 'http' },
      ...{ tags: [], meta: {}, share: 80, level: 0 },
    },
    {
      ...{ name: 'consul', services: ['shop/pay', 'legacy/pay'], sourceType: 'consul', sources: ['dc2'], port: undefined },
      ...{ tags: ['v2'], meta: { stage: 'prod' }, share: 10, level: 0 },
    },
    {
      ...{ name: 'vm', services: ['shop/payments', 'default/payments'], sourceType: 'vm', sources: undefined, port: undefined },
      ...{ tags: [], meta: {}, share: 10, level: 0 },
    },
    {
      ...{ name: 'any', services: ['other/payments'], sourceType: undefined, sources: undefined, port: undefined },
      ...{ tags: [], meta: {}, share: 100, level: 1 },
    },
  ])
})

t.test('a host name as a member: the gateway looks it up itself (discovery.md 1.3)', async t => {
  const { pools } = compiled([pool('members: [{name: old, dns: {name: pay.corp.example, port: 8080}}, {vm: {service: payments}}]')], {
    sources,
  })
  t.match(pools[0]?.members[0], { services: ['shop/pay.corp.example:8080'], sourceType: 'dns', sources: ['pool-names'] })
  const defaults = { addresses: { allow: ['127.0.0.0/8'], only: [] } }
  t.match(poolNames(pools, { defaults }), [
    {
      name: 'pool-names',
      type: 'dns',
      addresses: defaults.addresses,
      own: { names: { 'shop/pay.corp.example:8080': 'pay.corp.example:8080' } },
    },
  ])
  t.same(poolNames(compiled([pool('members: [{vm: {service: payments}}]')], { sources }).pools, { defaults }), [])
})

t.test('levels and shares by mode (discovery.md 1.6)', async t => {
  const levels = (mode: string, members: string) => {
    const [rule] = compiled([pool(`mode: ${mode}, members: [${members}]`)], { sources }).pools
    return rule?.members.map(({ name, level, share }) => `${name} ${level}${share === undefined ? '' : ` ${share}%`}`).join(', ')
  }
  const [a, b, c] = ['a', 'b', 'c'].map(name => `name: ${name}, vm: {service: ${name}}`)
  t.equal(levels('union', `{${a}, priority: 3}, {${b}}`), 'a 0, b 0')
  t.equal(levels('priority', `{${a}}, {${b}}, {${c}}`), 'a 0, b 1, c 2')
  t.equal(levels('priority', `{${a}, priority: 5}, {${b}}, {${c}, priority: 5}`), 'a 5, b 0, c 5')
  t.equal(levels('failover', `{${a}, priority: 5}, {${b}}, {${c}}`), 'a 2, b 0, c 1')
  t.equal(levels('weighted', `{${a}}, {${b}}, {${c}}`), 'a 0 33%, b 0 34%, c 0 33%')
  t.equal(levels('weighted', `{${a}, weight: 90}, {${b}}, {${c}, priority: 1}`), 'a 0 90%, b 0 10%, c 1 100%')
  t.equal(levels('weighted', `{${a}, weight: 100}, {${b}, weight: 0}`), 'a 0 100%, b 0 0%')
})

t.test('bad input is named at its field and costs this pool alone', async t => {
  const vm = 'vm: {service: a}'
  const table: readonly [string, RegExp][] = [
    ['members: []', /spec.members: must have at least one element/],
    ['mode: union', /spec.members: is required/],
    ['members: [{}]', /spec.members\[0\]: must have exactly one of .*: it has none/],
    ['members: [{vm: {service: a}, file: {service: a}}]', /it has vm and file/],
    ['members: [{vm: {}}]', /spec.members\[0\].vm.service: is required/],
    ['members: [{vm: {service: a}}, {vm: {service: b}}]', /spec.members\[1\]: is called "vm", as spec.members\[0\] is/],
    ['mode: wieghted, members: [{vm: {service: a}}]', /spec.mode: .*did you mean "weighted"/],
    [
      `mode: weighted, members: [{name: x, ${vm}, weight: 80}, {name: y, ${vm}, weight: 30}]`,
      /\[0\].weight: the weights of the members add up to 110/,
    ],
    [`mode: weighted, locality: {prefer: zone}, members: [{${vm}}]`, /locality.prefer: zone does not go with mode weighted/],
    [`members: [{${vm}}], locality: {prefer: region}`, /locality.prefer: expected one of zone, none/],
    [`mode: weighted, members: [{name: x, ${vm}, weight: 0}]`, /every member has weight 0/],
    [`members: [{${vm}, weight: 101}]`, /weight: expected a whole number from 0 to 100/],
    ['members: [{consul: {service: a, source: dc3}}]', /consul.source: there is no source "dc3"; did you mean "dc1" or "dc2"/],
    ['members: [{consul: {service: a, source: vms}}]', /source "vms" is of type vm, not consul/],
    ['members: [{file: {service: a, source: x}}]', /there is no source of type file/],
    ['members: [{consul: {service: a, datacenter: dc9}}]', /no Consul source is set to datacenter "dc9"; they are set to dc1, dc2/],
    ['members: [{dns: {name: "a b/c", port: 80}}]', /dns.name: "a b\/c" is no host name/],
    ['members: [{dns: {name: a.example}}]', /dns.port: is required/],
    [`members: [{${vm}}], subsets: [{name: v1, match: {}}]`, /match: must have 1 to 8 keys/],
    [`members: [{${vm}}], subsets: [{name: v1, match: {v: "1"}, fallback: v3}]`, /"v3" is no subset of this pool/],
    [
      `members: [{${vm}}], subsets: [{name: a, match: {v: "1"}, fallback: b}, {name: b, match: {v: "2"}, fallback: a}]`,
      /fallback: falls back in a circle: a → b → a/,
    ],
    [`members: [{${vm}}], subsets: [{name: a, match: {v: "1"}}, {name: a, match: {v: "2"}}]`, /"a" is the name of another subset/],
    [`members: [{${vm}}], panicThreshold: 101`, /panicThreshold: expected a whole number from 0 to 100/],
    [`members: [{${vm}}], drainSeconds: -1`, /drainSeconds/],
    [`members: [{${vm}}], guards: {onStale: ignore}`, /onStale: expected one of keep, degrade, drop/],
    [`members: [{${vm}}], healthChecks: [{health_check: {}}]`, /exactly one of http and grpc/],
    [`members: [{${vm}}], drain: 3`, /unknown field: did you mean "drainSeconds"|unknown field/],
  ]
  for (const [spec, expected] of table) t.match(statusOf(spec), expected, spec)
  const result = compiled([listener, host, pool('members: []'), mapping('web', 'prefix: /, hostname: "*", service: web')], { sources })
  t.same(routeLines(result.table).length, 1, 'the rest is served')
  t.same(result.pools, [])
})

t.test('offline no source is known, so any may be meant', async t => {
  t.equal(statusOf('members: [{consul: {service: a, source: dc3}}]', {}), 'accepted')
  t.same(compiled([pool('members: [{consul: {service: a, source: dc3}}]')]).pools[0]?.members[0]?.sources, ['dc3'])
})

t.test('locality: zone is part of the rule, none is the default; neither is reported as unbuilt', async t => {
  const rule = (more: string) => compiled([pool(`members: [{vm: {service: a}}]${more}`)], { sources }).pools[0]
  t.equal(rule(', locality: {prefer: zone}')?.preferZone, true)
  t.strictSame(rule(', locality: {prefer: none}'), rule(''))
  const round = new Round({ sources })
  round.apply(pool('members: [{vm: {service: a}}], locality: {prefer: zone}'))
})

t.test('a pool that turned bad goes on as it last was; two of one name: the first counts', async t => {
  const round = new Round({ sources })
  round.apply(pool('members: [{vm: {service: a}}]'))
  const { pools } = round.apply(pool('members: [{vm: {service: a, source: nobody}}]'))
  t.match(round.status('ServicePool', 'payments'), /^refused\+lastGood/)
  t.equal(pools[0]?.members[0]?.sources, undefined)
  round.apply(pool('members: [{vm: {service: a}}]'), pool('members: [{vm: {service: b}}]'))
  t.match(
    round.store.statuses().map(status => status.problems.map(problem => problem.text)),
    [[], [/already stands at m.yaml:1; that one counts/]],
  )
})

t.test('a pool is named like any service, and what it says about clusters makes them others', async t => {
  const members = 'members: [{vm: {service: a}}]'
  const documents = [listener, host, mapping('a', 'prefix: /, hostname: "*", service: "payments.shop:http"')]
  const plain = compiled([...documents, pool(members)], { sources })
  t.same(routeLines(plain.table), ['/ -> shop/payments:http'], 'no namespace or source need know it')
  const options = 'mode: weighted, panicThreshold: 10, slowStartSeconds: 5, outlierDetection: {consecutive5xx: 3}'
  const other = compiled([...documents, pool(`${options}, ${members}`)], { sources })
  t.same(routeLines(other.table), ['/ -> shop/payments:http|weighted|panic:10|slow-start:5s|outliers:3,30s,50%'])
  t.match(other.table.clusters, [{ assignment: { name: 'shop/payments:http' }, pool: { localityWeighted: true, panicThreshold: 10 } }])
})

t.test('what has no effect, or may fail over too late, is noticed', async t => {
  const notices = (spec: string) => {
    const round = new Round({ sources, known: knows(['shop', 'a'], ['default', 'b']) })
    round.apply(pool(spec))
    return round.notices('ServicePool', 'payments').join('; ')
  }
  const [a, b] = ['{name: a, vm: {service: a}}', '{name: b, vm: {service: b}, weight: 5, priority: 1}']
  t.match(notices(`members: [${a}, ${b}]`), /weights of members have no effect in mode union.*priorities of members have no effect/)
  t.match(notices(`mode: failover, members: [${a}]`), /add outlierDetection or healthChecks/)
  t.equal(notices(`mode: failover, outlierDetection: {}, members: [${a}]`), '')
  t.match(notices('mode: weighted, members: [{name: a, vm: {service: a}, weight: 20}]'), /add up to 20 percent: they count in proportion/)
})

t.test('a member that selects nothing, or what another pool makes, is named; pools do not nest, so there are no circles', async t => {
  const round = new Round({ sources, known: knows(['shop', 'a']) })
  const seen = (...documents: readonly string[]) => {
    const result = round.apply(...documents)
    return { result, notices: round.notices('ServicePool', 'payments').join('; ') }
  }
  const { result, notices } = seen(pool('members: [{name: x, vm: {service: nobody}}, {name: y, vm: {service: a}}]'))
  t.equal(notices, 'member x has nothing: no source knows shop/nobody or default/nobody')
  t.ok(result.lookups.services.has(serviceKey('shop', 'nobody')), 'it is compiled again once somebody does')
  const circle = seen(pool('members: [{any: {service: other}}]'), pool('members: [{any: {service: payments}}]', 'shop/other'))
  t.match(circle.notices, /member any selects what sources know as shop\/other, not what the ServicePool of that name makes of it/)
  t.equal(circle.result.pools.length, 2)
  t.equal(seen(pool('members: [{vm: {service: payments}}]')).notices, '', 'of its own name nothing is said: the pool makes it known')
  const own = new Round({ sources, known: knows(['shop', 'payments']) })
  own.apply(pool('members: [{vm: {service: payments}}]'))
  t.same(own.notices('ServicePool', 'payments'), [], 'a pool in front of the service of its name')
  const offline = new Round({})
  offline.apply(pool('members: [{vm: {service: nobody}}]'))
  t.same(offline.notices('ServicePool', 'payments'), [], 'offline nothing is known')
})
