import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { errorCodes } from '../../src/model/errors.ts'
import { FakeGateway, list, open } from './gateway.ts'

t.test('bad requests are problems that name what is wrong', async t => {
  const { app, get } = open(t)
  const cases: [string, number, string, RegExp][] = [
    ['/api/v1/nothing', 404, 'route-unknown', /GET \/api\/v1\/nothing is no address/],
    ['/api/v1/conflicting', 404, 'route-unknown', /conflicting/],
    ['/api/v1/services?helth=healthy', 400, 'request-invalid', /unknown query parameter "helth"; did you mean "health"\?/],
    ['/api/v1/services?health=good', 400, 'request-invalid', /"health" must be one of healthy, degraded/],
    ['/api/v1/services?limit=many', 400, 'request-invalid', /"limit" must be integer/],
    ['/api/v1/services?limit=0', 400, 'request-invalid', /"limit" must be >= 1/],
    ['/api/v1/services?limit=1&limit=2', 400, 'request-invalid', /"limit"/],
    ['/api/v1/services?sort=age', 400, 'request-invalid', /"sort" must be one of key, name/],
    ['/api/v1/services?cursor=xyz', 400, 'request-invalid', /"cursor" is none/],
    ['/api/v1/services?index=1&wait=soon', 400, 'request-invalid', /"wait" must be a time such as 500ms/],
    ['/api/v1/services/default/web/explain', 400, 'request-invalid', /"address" is missing/],
    ['/api/v1/services/default/web/explain?address=web:80', 400, 'request-invalid', /must be IP:PORT/],
    ['/api/v1/services/default/web/explain?address=10.0.0.1:0', 400, 'request-invalid', /must be IP:PORT/],
  ]
  for (const [url, status, code, detail] of cases) {
    const answer = await get(url)
    t.match(
      answer,
      {
        status,
        headers: { 'content-type': /^application\/problem\+json/ },
        body: { status, code, detail, instance: url, type: `urn:isthmus:problem:${code}` },
      },
      url,
    )
    t.ok(code in errorCodes)
  }
  const large = await app.inject({
    method: 'POST',
    url: '/api/v1/sources/dc1/resync',
    headers: { 'content-type': 'application/json' },
    payload: `"${'x'.repeat(1_048_576)}"`,
  })
  t.match({ status: large.statusCode, body: large.json<unknown>() }, { status: 413, body: { code: 'body-too-large' } })
  const odd = await app.inject({
    method: 'POST',
    url: '/api/v1/sources/dc1/resync',
    headers: { 'content-type': 'application/json' },
    payload: '{',
  })
  t.match({ status: odd.statusCode, body: odd.json<unknown>() }, { status: 400, body: { code: 'request-invalid' } })
})

t.test('a defect is logged and answered without its details', async t => {
  const gateway = new FakeGateway()
  const logged: string[] = []
  const { get } = open(t, gateway, { log: { error: (_data, message) => logged.push(message) } })
  gateway.objects = undefined as never
  t.match(await get('/api/v1/objects'), { status: 500, body: { code: 'internal', detail: /its log says why/ } })
  t.equal(logged.length, 1)
})

t.test('pages: limit, cursor and sort; items that come or go do not shift the next page', async t => {
  const { gateway, get } = open(t)
  for (const name of ['a', 'b', 'c', 'd']) gateway.put('dc1', `n/${name}`, [{ address: '10.1.0.1', port: 1, id: name }])
  const first = await get('/api/v1/services?limit=2&namespace=n')
  t.match(first.body, { total: 4, items: [{ key: 'n/a' }, { key: 'n/b' }] })
  gateway.put('dc1', 'n/aa', [{ address: '10.1.0.1', port: 1, id: 'aa' }])
  const second = await get(`/api/v1/services?limit=2&namespace=n&cursor=${String(first.body['nextCursor'])}`)
  t.strictSame(
    list(second.body['items']).map(item => item['key']),
    ['n/c', 'n/d'],
  )
  t.notOk('nextCursor' in second.body, 'the last page names no next')
  t.equal((await get(`/api/v1/services?sort=-key&cursor=${String(first.body['nextCursor'])}`)).status, 400)
  const sorted = await get('/api/v1/services?sort=-endpoints&limit=1')
  t.strictSame(
    list(sorted.body['items']).map(item => item['key']),
    ['default/web'],
  )
})

t.test('an unchanged answer is 304 by its weak ETag; a change of table or of ages is told apart', async t => {
  const { gateway, get } = open(t)
  for (const url of ['/api/v1/services', '/api/v1/services/default/web/endpoints', '/api/v1/sources', '/api/v1/proxies']) {
    const etag = String((await get(url)).headers['etag'])
    t.match(etag, /^W\/"/)
    t.match(await get(url, { 'if-none-match': etag }), { status: 304, text: '' }, url)
  }
  const etag = String((await get('/api/v1/services')).headers['etag'])
  const other = String((await get('/api/v1/services/shop/pay')).headers['etag'])
  gateway.put('dc1', 'default/web', [])
  t.equal((await get('/api/v1/services', { 'if-none-match': etag })).status, 200)
  t.equal((await get('/api/v1/services/shop/pay', { 'if-none-match': other })).status, 304, 'a change of another service is none')
  const sources = String((await get('/api/v1/sources')).headers['etag'])
  gateway.sources = gateway.sources.map(source => ({ ...source, ageSeconds: 99 }))
  t.equal((await get('/api/v1/sources', { 'if-none-match': sources })).status, 304, 'ages grow all the time')
})

t.test('a blocking query waits for a change, and for one of its own service only', async t => {
  const { gateway, get } = open(t)
  const index = String((await get('/api/v1/services')).headers['x-isthmus-index'])
  let answered = false
  const blocked = get(`/api/v1/services?index=${index}&wait=60s`).then(answer => ((answered = true), answer))
  await gateway.clock.asleep()
  t.notOk(answered)
  gateway.put('dc1', 'new/one', [{ address: '10.1.0.1', port: 1, id: 'a' }])
  const answer = await blocked
  t.equal(answer.body['total'], 3)
  t.ok(Number(answer.headers['x-isthmus-index']) > Number(index))

  const mine = String((await get('/api/v1/services/shop/pay')).headers['x-isthmus-index'])
  let woken = false
  const own = get(`/api/v1/services/shop/pay?index=${mine}`).then(result => ((woken = true), result))
  await gateway.clock.asleep()
  gateway.put('dc1', 'new/one', [])
  await get('/livez')
  t.notOk(woken, 'another service changed')
  gateway.put('dc1', 'shop/pay', [])
  t.equal((await own).body['endpoints'], 0)
})

t.test('a blocking query ends with its time, with an index of before a restart, and when the server closes', async t => {
  const { app, gateway, get } = open(t)
  const index = String((await get('/api/v1/services')).headers['x-isthmus-index'])
  const timed = get(`/api/v1/services?index=${index}&wait=1s`)
  await gateway.clock.asleep()
  gateway.clock.ring()
  t.equal((await timed).headers['x-isthmus-index'], index)
  t.equal((await get('/api/v1/services?index=99999999')).status, 200)
  const held = get(`/api/v1/services?index=${index}`)
  await gateway.clock.asleep()
  await app.close()
  t.equal((await held).status, 200)
})

t.test('with tokens set every route but the probes wants one, with a role that may', async t => {
  const folder = t.testdir({ read: 'r-token\n', operate: 'o-token', empty: '' })
  const errors: string[] = []
  const token = (name: string, role: 'read' | 'operate' | 'admin') => ({ name, role, file: join(folder, name) })
  const tokens = [token('read', 'read'), token('operate', 'operate'), token('empty', 'admin'), token('missing', 'admin')]
  const { app, get } = open(t, new FakeGateway(), { tokens, log: { error: data => errors.push(JSON.stringify(data)) } })
  const bearer = (value: string) => ({ authorization: `Bearer ${value}` })
  for (const open of ['/api/v1/openapi.json', '/api/v1/docs/', '/api/v1/docs/static/swagger-ui.css', '/livez'])
    t.equal((await app.inject(open)).statusCode, 200, `${open} needs no token`)
  t.match(await get('/api/v1/status'), { status: 401, body: { code: 'token-invalid' }, headers: { 'www-authenticate': /Bearer/ } })
  t.equal((await get('/api/v1/status', bearer('wrong'))).status, 401)
  t.equal((await get('/api/v1/status', { authorization: 'Basic r-token' })).status, 401)
  t.equal((await get('/api/v1/status', bearer('r-token'))).status, 200)
  for (const url of ['/livez', '/readyz', '/startupz', '/metrics', '/api/v1/openapi.json']) t.equal((await get(url)).status, 200, url)
  const resync = (value: string) => app.inject({ method: 'POST', url: '/api/v1/sources/dc1/resync', headers: bearer(value) })
  const refused = await resync('r-token')
  t.match({ status: refused.statusCode, body: refused.json<unknown>() }, { status: 403, body: { code: 'role-insufficient' } })
  t.equal((await resync('o-token')).statusCode, 202)
  writeFileSync(join(folder, 'read'), 'r-token-renewed')
  t.equal((await get('/api/v1/status', bearer('r-token'))).status, 401, 'the file is read again')
  t.equal((await get('/api/v1/status', bearer('r-token-renewed'))).status, 200)
  t.equal(errors.filter(error => error.includes('missing')).length, 1, 'an unreadable file is reported once')
})
