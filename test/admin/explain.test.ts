import t from 'tap'
import { deliverySteps } from '../../src/admin/explain-pool.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { FakeGateway, list, open, someRoutes } from './gateway.ts'

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
  const member = { services: [web], sources: undefined, port: undefined, tags: [], meta: {}, share: undefined }
  const members = [
    { ...member, name: 'agents', sourceType: 'vm', level: 0 },
    { ...member, name: 'tagged', sourceType: 'consul', tags: ['v9'], level: 1 },
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

t.test('delivery in one sentence: sent to 3 of 4 Envoys, rejected by one', async t => {
  const at = (nodeId: string, state: 'synced' | 'rejected' | 'pending', sentVersion: string, ackedVersion: string) => ({
    ...{ nodeId, proxyState: 'synced' as const, cluster: 'web', state, sentVersion, ackedVersion, currentVersion: 'v2' },
  })
  const [step] = deliverySteps([
    at('a', 'synced', 'v2', 'v2'),
    at('b', 'synced', 'v2', 'v2'),
    at('c', 'rejected', 'v2', 'v1'),
    at('d', 'pending', 'v1', 'v1'),
  ])
  t.equal(step?.text, 'sent to 3 of 4 Envoys, acknowledged by 2, rejected by c')
})
