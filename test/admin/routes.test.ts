import t from 'tap'
import { FakeGateway, type Json, list, open, someRoutes } from './gateway.ts'

t.test('GET /status has id, version, uptime, revision, counts, sources and proxies in short', async t => {
  const { body, status, headers } = await open(t).get('/api/v1/status')
  t.equal(status, 200)
  t.equal(headers['x-isthmus-index'], String(body['revision']))
  t.match(body, {
    id: 'edge-1',
    version: '1.2.3',
    uptimeSeconds: 60,
    ready: true,
    counts: {
      services: 2,
      endpoints: 3,
      sources: 2,
      proxies: 1,
      objects: { accepted: 1, refused: 1, ignored: 0, unreadable: 1 },
      leases: 1,
    },
    sources: [
      { name: 'dc1', state: 'live', ageSeconds: 1.5, error: null },
      { name: 'vms', state: 'stale', error: 'connection refused' },
    ],
    proxies: [{ nodeId: 'envoy-1', state: 'rejected', streams: 1 }],
  })
})

t.test('GET /sources and one of them; POST resync', async t => {
  const { app, gateway, get } = open(t)
  const { body } = await get('/api/v1/sources')
  t.match(body, {
    total: 2,
    items: [
      { name: 'dc1', error: null, lastSuccess: '2026-01-01T11:59:00.000Z' },
      { name: 'vms', error: { count: 3 } },
    ],
  })
  t.match((await get('/api/v1/sources/vms')).body, { type: 'vm', state: 'stale', held: 0 })
  t.match((await get('/api/v1/sources/dc2')).body, { status: 404, code: 'source-unknown', detail: /no source "dc2"; did you mean "dc1"/ })
  const resync = await app.inject({ method: 'POST', url: '/api/v1/sources/dc1/resync' })
  t.equal(resync.statusCode, 202)
  t.strictSame(gateway.resyncs, ['dc1'])
  t.equal((await app.inject({ method: 'POST', url: '/api/v1/sources/dc3/resync' })).statusCode, 404)
})

t.test('GET /services with filters, and one of them', async t => {
  const gateway = new FakeGateway()
  gateway.routes = someRoutes
  const { get } = open(t, gateway)
  const keys = async (query: string) => list((await get(`/api/v1/services${query}`)).body['items']).map(item => item['key'])
  t.strictSame(await keys(''), ['default/web', 'shop/pay'])
  t.strictSame(await keys('?source=vms'), ['default/web'])
  t.strictSame(await keys('?namespace=shop'), ['shop/pay'])
  t.strictSame(await keys('?health=draining'), ['default/web'])
  t.strictSame(await keys('?q=PAY'), ['shop/pay'])
  t.strictSame((await get('/api/v1/services/default/web')).body, {
    key: 'default/web',
    namespace: 'default',
    name: 'web',
    mode: 'union',
    sources: ['dc1', 'vms'],
    endpoints: 2,
    served: 1,
    health: { healthy: 1, degraded: 0, draining: 1, unhealthy: 0, unknown: 0 },
    priorities: [{ priority: 0, endpoints: 2, served: 1 }],
    conflicts: 1,
    clusters: ['web'],
  })
  t.match((await get('/api/v1/services/default/wep')).body, { status: 404, code: 'service-unknown', detail: /near names: default\/web/ })
})

t.test('endpoints have the fields of interface.md, by service and over all', async t => {
  const { get } = open(t)
  const { body } = await get('/api/v1/services/default/web/endpoints')
  t.strictSame(list(body['items'])[0], {
    service: 'default/web',
    address: '10.0.0.1',
    port: 8080,
    portName: '',
    protocol: 'tcp',
    source: 'vms',
    sourceKind: 'vm',
    id: 'vm-1/web',
    health: 'healthy',
    presence: 'live',
    freshnessSeconds: 60,
    weight: 50,
    priority: 0,
    locality: { region: '', zone: '', subzone: '' },
    tags: [],
    meta: {},
    served: true,
    evidence: [
      {
        source: 'vms',
        sourceKind: 'vm',
        group: 'default/web',
        id: 'vm-1/web',
        portName: '',
        health: 'healthy',
        presence: 'live',
        weight: 50,
        reasons: [],
      },
      {
        source: 'dc1',
        sourceKind: 'consul',
        group: 'default/web',
        id: 'n1/web-1',
        portName: 'http',
        health: 'healthy',
        presence: 'live',
        weight: 100,
        reasons: [],
      },
    ],
    reasons: [{ code: 'merged', text: 'known to 2 sources; vms decides over dc1' }],
  })
  t.match(list(body['items'])[1], { health: 'draining', served: false, reasons: [{ code: 'consul-maintenance' }] })
  const count = async (url: string) => (await get(url)).body['total']
  t.equal(await count('/api/v1/services/default/web/endpoints?port=8080'), 2)
  t.equal(await count('/api/v1/services/default/web/endpoints?port=admin'), 0)
  t.equal(await count('/api/v1/endpoints'), 3)
  t.equal(await count('/api/v1/endpoints?zone=b'), 1)
  t.equal(await count('/api/v1/endpoints?source=vms'), 1)
  t.equal(await count('/api/v1/endpoints?q=10.0.0.2'), 1)
  const lines = await get('/api/v1/endpoints?namespace=default', { accept: 'application/x-ndjson' })
  t.match(lines.headers['content-type'], 'application/x-ndjson')
  const parsed = lines.text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { address: string })
  t.strictSame(
    parsed.map(one => one.address),
    ['10.0.0.1', '10.0.0.2'],
  )
})

t.test('GET /proxies, one of them, and its resources', async t => {
  const { get } = open(t)
  t.match(list((await get('/api/v1/proxies')).body['items'])[0], {
    nodeId: 'envoy-1',
    state: 'rejected',
    disconnectedAt: null,
    types: [
      { type: 'cluster', subscribed: 'all', sent: 3, acked: 3, sentAgeSeconds: 2, lastNack: null },
      {
        type: 'route',
        subscribed: 2,
        lastAckAt: null,
        ackAgeSeconds: null,
        lastNack: { text: 'bad regex', at: '2026-01-01T11:59:58.000Z', names: ['http'] },
      },
    ],
  })
  t.equal((await get('/api/v1/proxies/envoy-1')).status, 200)
  t.match((await get('/api/v1/proxies/envoy-2')).body, { status: 404, code: 'proxy-unknown', detail: /did you mean "envoy-1"/ })
  t.match((await get('/api/v1/proxies/envoy-1/resources/endpoint')).body, {
    total: 2,
    items: [{ name: 'default/web', ackedVersion: 'v1', state: 'pending' }, {}],
  })
  t.match((await get('/api/v1/proxies/envoy-1/resources/cds')).body, {
    status: 400,
    detail: /path part "type" must be one of cluster, endpoint/,
  })
})

t.test('GET /objects, one of them, and what could not be read', async t => {
  const { get } = open(t)
  t.match((await get('/api/v1/objects?state=refused')).body, {
    total: 1,
    items: [{ kind: 'Mapping', name: 'pay', at: 'a.yaml:9', problems: [{ path: 'spec.prefx', at: 'a.yaml:12' }], lastGood: true }],
    problems: [{ code: 'manifest-unreadable', at: 'b.yaml:1' }],
    warnings: ['there is no Listener'],
  })
  t.match((await get('/api/v1/objects/mapping/default/web')).body, { notices: [/^spec\.docs has no effect/] })
  t.match((await get('/api/v1/objects/Mapping/default/wob')).body, {
    status: 404,
    code: 'object-unknown',
    detail: /did you mean "Mapping default\/web"/,
  })
})

t.test('GET /routes gives the order of matching, with origin and upstream', async t => {
  const gateway = new FakeGateway()
  gateway.routes = someRoutes
  const { get } = open(t, gateway)
  const { body } = await get('/api/v1/routes')
  t.match(body['items'], [
    {
      order: 0,
      listeners: ['http-8080'],
      domains: ['*'],
      service: 'default/web',
      match: { path: { value: '/web/x' }, percent: 30, headers: [{ name: ':method' }] },
      action: { cluster: 'web' },
      origins: [{ name: 'web', at: 'a.yaml:1' }],
    },
    { order: 1, service: null, action: { kind: 'https-redirect' } },
  ])
  t.equal((await get('/api/v1/routes?q=/web')).body['total'], 1)
})

t.test('GET /agents gives the leases', async t => {
  t.match((await open(t).get('/api/v1/agents')).body, {
    total: 1,
    items: [{ agentId: 'vm-1', epoch: 2, state: 'up', services: ['default/web'] }],
  })
})

t.test('probes and metrics answer; readiness says what it waits for', async t => {
  const { gateway, get } = open(t)
  gateway.readiness = { ready: false, checks: [{ name: 'sources', ok: false, detail: 'dc1 has not synced' }] }
  t.match(await get('/livez'), { status: 200, text: 'ok\n' })
  t.equal((await get('/startupz')).status, 503)
  t.equal((await get('/ambassador/v0/check_ready')).status, 503)
  t.equal((await get('/ambassador/v0/check_alive')).status, 200)
  t.match(await get('/readyz'), { status: 503, body: { ready: false, checks: [{ detail: 'dc1 has not synced' }] } })
  gateway.readiness = { ready: true, checks: gateway.readiness.checks }
  t.strictSame((await get('/readyz')).body, { ready: true })
  t.match(await get('/readyz?verbose'), { status: 200, body: { checks: [{ name: 'sources' }] } })
  gateway.readiness = { ready: false, checks: [] }
  t.equal((await get('/startupz')).status, 200, 'started stays so')
  t.match(await get('/metrics'), { text: 'isthmus_build_info 1\n', headers: { 'content-type': /text\/plain; version=0.0.4/ } })
})

t.test('the API describes itself as OpenAPI 3.1, every route with its answer, and has a page', async t => {
  const { get } = open(t)
  const { body } = await get('/api/v1/openapi.json')
  t.equal(body['openapi'], '3.1.0')
  const paths = ['/api/v1/status', '/api/v1/services/{namespace}/{name}/explain', '/api/v1/proxies/{nodeId}/resources/{type}', '/readyz']
  for (const path of paths) t.match((body['paths'] as Json)[path], { get: { responses: { 200: {} } } }, path)
  t.ok(JSON.stringify(body['paths']).includes('application/problem+json'))
  t.equal((await get('/')).headers['location'], '/api/v1/docs')
  t.match((await get('/api/v1/docs')).headers['content-type'], /html/)
})
