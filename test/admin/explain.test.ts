import t from 'tap'
import { deliverySteps } from '../../src/admin/explain-pool.ts'
import type { SourceStatus } from '../../src/discovery/status.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { deferResource } from '../../src/xds/resource.ts'
import { FakeGateway, list, open, someRoutes } from './gateway.ts'
import { poolMember } from '../table/pool-member.ts'

/** The verdict and the codes of the steps. */
async function ask(t: Parameters<typeof open>[0], gateway: FakeGateway, service: string, address: string) {
  const { get } = open(t, gateway)
  const { body, status } = await get(`/api/v1/services/${service}/explain?address=${encodeURIComponent(address)}`)
  if (status !== 200) throw new Error(String(body['detail']))
  const steps = list(body['steps'])
  return {
    body,
    verdict: body['verdict'] as string,
    codes: steps.map(step => step['code'] as string),
    texts: steps.map(step => step['text'] as string).join('\n'),
  }
}

function routed(): FakeGateway {
  const gateway = new FakeGateway()
  gateway.routes = someRoutes
  return gateway
}

t.test('a served endpoint: its evidence, the merge, the cluster, and how far each Envoy is', async t => {
  const { body, verdict, codes, texts } = await ask(t, routed(), 'default/web', '10.0.0.1:8080')
  t.equal(verdict, 'served')
  t.strictSame(codes, ['service-known', 'evidence', 'source-stale', 'evidence', 'merged', 'decided', 'cluster-takes', 'delivery'])
  t.match(texts, /sent to 1 of 1 Envoy, acknowledged by 0/)
  t.match(texts, /vms \(vm\) says healthy, weight 50/)
  t.match(texts, /vms is stale \(last read 60 s ago\): connection refused/)
  t.match(texts, /cluster web \(Mapping default\/web\) takes it as healthy/)
  t.strictSame(body['delivery'], [
    {
      nodeId: 'envoy-1',
      proxyState: 'rejected',
      cluster: 'web',
      state: 'pending',
      sentVersion: 'v2',
      ackedVersion: 'v1',
      currentVersion: 'v2',
    },
  ])
})

t.test("a draining endpoint is withheld, with its source's reason", async t => {
  const gateway = routed()
  gateway.routes = {
    ...someRoutes,
    clusters: someRoutes.clusters.map(cluster =>
      cluster.kind === 'eds' ? { ...cluster, assignment: { ...cluster.assignment, port: { kind: 'default', tls: false } } } : cluster,
    ),
  }
  const { verdict, codes, texts, body } = await ask(t, gateway, 'default/web', '10.0.0.2:8080')
  t.equal(verdict, 'withheld')
  t.ok(codes.includes('consul-maintenance'))
  t.match(texts, /node n2 is in maintenance/)
  t.match(body['text'], /gets no requests: it is draining/)
})

t.test('an endpoint that no cluster takes is unrouted: no route at all, another port, another resolver', async t => {
  const { verdict, codes } = await ask(t, new FakeGateway(), 'default/web', '10.0.0.1:8080')
  t.equal(verdict, 'unrouted')
  t.ok(codes.includes('no-cluster'))

  const ports = routed()
  ports.put('dc1', 'default/web', [
    { address: '10.0.0.7', port: 1, id: 'x', portName: 'http' },
    { address: '10.0.0.7', port: 2, id: 'x', portName: 'admin' },
  ])
  const other = await ask(t, ports, 'default/web', '10.0.0.7:2')
  t.equal(other.verdict, 'unrouted')
  t.match(other.texts, /does not take it: it wants the port named "http", this is port 2 "admin"/)

  const resolver = routed()
  resolver.routes = {
    ...someRoutes,
    clusters: someRoutes.clusters.map(cluster =>
      cluster.kind === 'eds' ? { ...cluster, assignment: { ...cluster.assignment, members: { kind: 'type', type: 'vm' } } } : cluster,
    ),
  }
  t.match((await ask(t, resolver, 'default/web', '10.0.0.2:8080')).texts, /endpoints of vm sources only/)
})

t.test('an absent address: who was asked, and what is near', async t => {
  const gateway = routed()
  gateway.sources = gateway.sources.map(source => ({ ...source, notices: ['web: 10.0.0.3 is loopback', 'something else'] }))
  const wrongPort = await ask(t, gateway, 'default/web', '10.0.0.1:9090')
  t.equal(wrongPort.verdict, 'absent')
  t.match(wrongPort.texts, /10\.0\.0\.1 is known with port 8080/)
  t.match(wrongPort.texts, /dc1 \(consul\) knows 2 endpoints of the service, not this one/)
  t.match((await ask(t, gateway, 'default/web', '10.0.0.9:9090')).texts, /10\.0\.0\.9:9090 is an endpoint of shop\/pay/)
  const refused = await ask(t, gateway, 'default/web', '10.0.0.3:80')
  t.match(refused.texts, /dc1 reports: web: 10\.0\.0\.3 is loopback/)
  t.notMatch(refused.texts, /something else/)
})

t.test('an absent service: near names, sources that are down', async t => {
  const { verdict, codes, texts } = await ask(t, routed(), 'default/wep', '10.0.0.1:8080')
  t.equal(verdict, 'absent')
  t.strictSame(codes, ['service-unknown', 'source-stale', 'other-service'])
  t.match(texts, /near names: default\/web/)
})

t.test('addresses are compared in canonical form', async t => {
  const gateway = new FakeGateway()
  gateway.put('dc1', 'six/web', [{ address: '2001:db8::1', port: 80, id: 'a' }])
  t.equal((await ask(t, gateway, 'six/web', '[2001:0db8:0:0::1]:80')).verdict, 'unrouted')
  t.equal((await ask(t, gateway, 'default/web', '[::ffff:10.0.0.1]:8080')).verdict, 'unrouted')
})

t.test('a ServicePool: its members, the place of an endpoint in it, and why one is not of it', async t => {
  const gateway = routed()
  const [web, pool] = [serviceKey('default', 'web'), serviceKey('default', 'all')]
  const members = [
    poolMember('agents', [web], { sourceType: 'vm' }),
    poolMember('tagged', [web], { sourceType: 'consul', tags: ['v9'], level: 1 }),
  ]
  gateway.table.follow([{ service: pool, mode: 'failover', members, drainSeconds: 0 }], 0)
  const inside = await ask(t, gateway, 'default/all', '10.0.0.1:8080')
  t.strictSame(inside.codes.slice(0, 2), ['service-known', 'pool'])
  t.match(inside.texts, /ServicePool default\/all, mode failover: agents has 1 of 1 in use; tagged has 0 of 0 in use/)
  t.match(inside.texts, /it is of member agents, priority 0/)
  t.notMatch(inside.texts, /locality/)
  gateway.table.follow([{ service: pool, mode: 'failover', members, preferZone: true, drainSeconds: 0 }], 0)
  const near = await ask(t, gateway, 'default/all', '10.0.0.1:8080')
  t.match(near.texts, /locality.prefer is zone, and its own is not known: .* and this when none of those is in use/)
  const outside = await ask(t, gateway, 'default/all', '10.0.0.2:8080')
  t.equal(outside.verdict, 'absent')
  t.match(outside.texts, /member agents does not take it: dc1 is of type consul, not vm/)
  t.match(outside.texts, /member tagged does not take it: dc1 gives it no tag "v9"/)
})

t.test('delivery in one sentence: sent to 3 of 4 Envoys, rejected by one, with the text of its NACK', async t => {
  const at = (nodeId: string, state: 'synced' | 'rejected' | 'pending', sentVersion: string, ackedVersion: string) => ({
    ...{ nodeId, proxyState: 'synced' as const, cluster: 'web', state, sentVersion, ackedVersion, currentVersion: 'v2' },
  })
  const refused = deferResource('endpoint', 'default/web', () => Buffer.of(1))
  const steps = deliverySteps(
    [at('a', 'synced', 'v2', 'v2'), at('b', 'synced', 'v2', 'v2'), at('c', 'rejected', 'v2', 'v1'), at('d', 'pending', 'v1', 'v1')],
    [{ nodeId: 'c', refused, acked: undefined, text: 'weights add up to too much' }],
  )
  t.strictSame(
    steps.map(({ text }) => text),
    ['sent to 3 of 4 Envoys, acknowledged by 2, rejected by c', 'c rejects endpoint default/web: weights add up to too much'],
  )
  const gateway = routed()
  gateway.refusals = [
    { nodeId: 'envoy-1', refused, acked: undefined, text: 'no such address' },
    { nodeId: 'envoy-1', refused: deferResource('endpoint', 'shop/pay', () => Buffer.of(1)), acked: undefined, text: 'another service' },
  ]
  const { texts } = await ask(t, gateway, 'default/web', '10.0.0.1:8080')
  t.match(texts, /envoy-1 rejects endpoint default\/web: no such address/)
  t.notMatch(texts, /another service/)
})

t.test('a critical check, and since when: the time of the change, not of later ones', async t => {
  const gateway = routed()
  const critical = { health: 'unhealthy', reasons: [{ code: 'check-critical', text: 'critical: web-alive' }] } as const
  const one = { address: '10.0.0.5', port: 80, id: 'n5/web', portName: 'http' }
  const put = async (endpoint: Parameters<FakeGateway['put']>[2][number]) => {
    gateway.put('dc1', 'default/five', [endpoint])
    await gateway.ledger.extent()
    gateway.clock.wallMs += 60_000
  }
  await put(one)
  await put({ ...one, ...critical })
  // Something else about it changes, and it stays critical.
  await put({ ...one, ...critical, weight: 7 })
  const { verdict, texts, body } = await ask(t, gateway, 'default/five', '10.0.0.5:80')
  t.equal(verdict, 'withheld')
  t.match(texts, /critical: web-alive, since 2026-01-01T12:01:00\.000Z/)
  t.match(body['text'], /it is unhealthy \(critical: web-alive, since 2026-01-01T12:01:00\.000Z\)/)
  // It was well in between.
  await put(one)
  await put({ ...one, ...critical })
  t.match((await ask(t, gateway, 'default/five', '10.0.0.5:80')).texts, /critical: web-alive, since 2026-01-01T12:04:00\.000Z/)
})

t.test('what a guard holds: which one, until when, and what Envoy is told', async t => {
  const gateway = routed()
  const reasons = [{ code: 'held-by-guard', text: 'dc1 named it before' }]
  gateway.put('dc1', 'default/web', [{ address: '10.0.0.1', port: 8080, id: 'n1/web-1', portName: 'http', presence: 'suspect', reasons }])
  gateway.put('vms', 'default/web', [])
  const hold = { rule: 'empty', endpoints: 1, heldSeconds: 10, confirmInSeconds: 20, releaseInSeconds: 590 } as const
  const [dc1, vms] = gateway.sources as [SourceStatus, SourceStatus]
  const other = { ...hold, service: serviceKey('default', 'other') }
  gateway.sources = [{ ...dc1, held: 1, holds: [other, { ...hold, service: serviceKey('default', 'web') }] }, vms]
  const { verdict, texts, body, codes } = await ask(t, gateway, 'default/web', '10.0.0.1:8080')
  t.equal(verdict, 'served')
  t.equal(codes.filter(code => code === 'guard').length, 1)
  t.match(
    texts,
    /the empty guard of dc1 holds 1 of default\/web; dc1 is read again at 2026-01-01T12:00:20Z, it is let go at 2026-01-01T12:09:50Z/,
  )
  t.match(texts, /cluster web \(Mapping default\/web\) takes it as degraded, as Envoy is told \(healthy, suspect\)/)
  t.match(body['text'], /it is degraded, as Envoy is told \(healthy, suspect\) \(dc1 named it before, since /)
})

t.test("an operator's override: what, by whom, until when", async t => {
  for (const [action, said] of [
    ['drain', 'drained'],
    ['exclude', 'excluded'],
  ] as const) {
    const gateway = routed()
    const service = serviceKey('default', 'web')
    gateway.overrides.put({ id: 'o1', service, address: '10.0.0.1', port: 8080, action, reason: 'disk', actor: 'ann', ttlMs: 3_600_000 })
    gateway.table.settle()
    const { verdict, body, codes } = await ask(t, gateway, 'default/web', '10.0.0.1:8080')
    t.equal(verdict, 'withheld')
    t.ok(codes.includes(`override-${action}`))
    t.match(body['text'], new RegExp(`${said} by ann until 2026-01-01T13:00:00.000Z: disk`))
  }
})

t.test('a port name without a match', async t => {
  const gateway = routed()
  gateway.put('vms', 'default/web', [])
  gateway.put('dc1', 'default/web', [
    { address: '10.0.0.7', port: 1, id: 'x', portName: 'grpc' },
    { address: '10.0.0.7', port: 2, id: 'x', portName: 'admin' },
  ])
  const { verdict, texts } = await ask(t, gateway, 'default/web', '10.0.0.7:1')
  t.equal(verdict, 'unrouted')
  t.match(texts, /does not take it: port name "http" has no match in default\/web; there are admin, grpc/)
})

t.test('an address that is named and not taken: refused by the rules of addresses, dropped with a source that was not read', async t => {
  const text = 'dc1 named 127.0.0.1, last at 2026-01-01T12:00:00.000Z, and it was refused: 127.0.0.1 is loopback'
  const at = { source: 'dc1', service: undefined, port: undefined } as const
  for (const service of ['default/web', 'default/nobody']) {
    const gateway = routed()
    gateway.leftOut = [{ ...at, code: 'address-refused', text }]
    const { verdict, body, codes } = await ask(t, gateway, service, '127.0.0.1:80')
    t.equal(verdict, 'absent')
    t.ok(codes.includes('address-refused'))
    t.match(body['text'], /is absent: dc1 named 127\.0\.0\.1, .* it was refused: 127\.0\.0\.1 is loopback/)
  }
  const gateway = routed()
  const dropped = { source: 'dc1', code: 'source-expired', service: serviceKey('default', 'web'), port: 81, text: 'not read' } as const
  gateway.leftOut = [dropped, { ...dropped, service: serviceKey('other', 'web'), text: 'another service' }]
  t.match((await ask(t, gateway, 'default/web', '10.0.0.8:81')).body['text'], /is absent: not read/)
  t.match((await ask(t, gateway, 'default/web', '10.0.0.8:82')).body['text'], /no source knows this address of the service/)
  t.match((await ask(t, gateway, 'default/none', '10.0.0.8:81')).body['text'], /no source knows the service/)
})

t.test('an address that another service has by now, and the own listener', async t => {
  const gateway = routed()
  const reasons = [{ code: 'held-by-guard', text: 'held' }]
  gateway.put('dc1', 'default/web', [{ address: '10.0.0.6', port: 80, id: 'old', portName: 'http', presence: 'suspect', reasons }])
  gateway.put('dc1', 'default/new', [{ address: '10.0.0.6', port: 80, id: 'new' }])
  const reused = await ask(t, gateway, 'default/web', '10.0.0.6:80')
  t.equal(reused.verdict, 'withheld')
  t.match(reused.body['text'], /dc1 gave its address to instance new of default\/new meanwhile/)
  gateway.ownListener = '10.0.0.1 8080'
  gateway.put('dc1', 'default/web', [{ address: '10.0.0.1', port: 8080, id: 'loop', portName: 'http' }])
  const loop = await ask(t, gateway, 'default/web', '10.0.0.1:8080')
  t.equal(loop.verdict, 'withheld')
  t.ok(loop.codes.includes('gateway-loop'))
  t.match(loop.body['text'], /it is the gateway's own listener/)
})
