import t from 'tap'
import { FakeGateway, type Json, list, open } from './gateway.ts'

const good = { service: 'default/web', address: '10.0.0.1:8080', action: 'exclude', reason: 'disk is full', actor: 'ada' }

t.test('overrides over the API: set, listed, explained, taken back', async t => {
  const { app, get } = open(t)
  const put = await app.inject({ method: 'PUT', url: '/api/v1/overrides/x', payload: { ...good, ttlSeconds: 3600 } })
  t.equal(put.statusCode, 200, put.body)
  t.match(put.json(), {
    id: 'x',
    state: 'active',
    actor: 'ada',
    setAt: '2026-01-01T12:00:00.000Z',
    expiresAt: '2026-01-01T13:00:00.000Z',
    kept: true,
  })
  const { body } = await get('/api/v1/services/default/web/endpoints')
  t.match(
    list(body['items']).find(one => one['address'] === '10.0.0.1'),
    { served: false, reasons: [{ code: 'merged' }, { code: 'override-exclude', text: /disk is full/ }] },
  )
  t.match((await get('/api/v1/overrides')).body, { total: 1, items: [{ id: 'x' }] })
  t.match((await get('/api/v1/overrides/x')).body, { id: 'x', action: 'exclude' })
  t.match((await get('/api/v1/overrides/q')).body, { status: 404, code: 'override-unknown' })
  const waiting = await app.inject({ method: 'PUT', url: '/api/v1/overrides/y', payload: { ...good, address: '[2001:db8:0::1]:80' } })
  t.match(waiting.json(), { state: 'waiting', address: '[2001:db8::1]:80' }, 'nobody knows it yet')
  const clash = await app.inject({ method: 'PUT', url: '/api/v1/overrides/z', payload: { ...good, action: 'pin' } })
  t.match(clash.json(), { status: 409, code: 'override-conflict', detail: /override x \(exclude/ })
  t.equal((await app.inject({ method: 'DELETE', url: '/api/v1/overrides/x' })).statusCode, 200)
  t.match((await app.inject({ method: 'DELETE', url: '/api/v1/overrides/x' })).json(), { status: 404, code: 'override-unknown' })
})

const bad: readonly (readonly [Json, RegExp])[] = [
  [{ ...good, service: 'web' }, /service/],
  [{ ...good, service: 'a/b/c' }, /service/],
  [{ ...good, address: '10.0.0.1' }, /body "address" must be IP:PORT/],
  [{ ...good, address: 'web.example:80' }, /IP:PORT/],
  [{ ...good, address: '10.0.0.1:0' }, /IP:PORT/],
  [{ ...good, action: 'drop' }, /drain, exclude, weight, pin/],
  [{ ...good, action: 'weight' }, /"value" is missing/],
  [{ ...good, action: 'weight', value: 0 }, /value/],
  [{ ...good, action: 'weight', value: 100_001 }, /value/],
  [{ ...good, action: 'weight', value: 1.5 }, /value/],
  [{ ...good, value: 5 }, /belongs to action weight/],
  [{ ...good, reason: ' ' }, /reason/],
  [{ service: 'default/web', address: '10.0.0.1:80', action: 'pin' }, /"reason" is missing/],
  [{ ...good, ttlSeconds: 0 }, /ttlSeconds/],
  [{ ...good, ttlSeconds: 1e12 }, /ttlSeconds/],
  [{ ...good, until: 'noon' }, /unknown body "until"/],
]
t.test('bad overrides are refused, each naming what is wrong', async t => {
  const gateway = new FakeGateway()
  const { app } = open(t, gateway)
  for (const [payload, detail] of bad) {
    const response = await app.inject({ method: 'PUT', url: '/api/v1/overrides/x', payload })
    t.match(response.json(), { status: 400, code: 'request-invalid', detail }, JSON.stringify(payload))
  }
  t.equal((await app.inject({ method: 'PUT', url: '/api/v1/overrides/%20', payload: good })).statusCode, 400)
  t.strictSame(gateway.overrides.list(), [])
})
