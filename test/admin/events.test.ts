import t from 'tap'
import { isthmus, listening } from '../cli/cli.ts'
import { FakeGateway, list, open } from './gateway.ts'

t.test('history, time travel and difference of a service over the API', async t => {
  const { app, get, gateway } = open(t)
  await app.inject({
    method: 'PUT',
    url: '/api/v1/overrides/x',
    payload: { service: 'default/web', address: '10.0.0.1:8080', action: 'exclude', reason: 'r', actor: 'ada' },
  })
  gateway.table.settle()
  const { body } = await get('/api/v1/services/default/web/history')
  const items = list(body['items'])
  t.match(items.at(-2), { cause: 'override-set', actor: 'ada', service: 'default/web' })
  t.match(items.at(-1), { cause: 'override', actor: 'ada', before: [{ served: true }], after: [{ served: false }] })
  await app.inject({ method: 'DELETE', url: '/api/v1/overrides/x', payload: { actor: 'bob' } })
  gateway.table.settle()
  t.match(list((await get('/api/v1/services/default/web/history')).body['items']).at(-1), { cause: 'override', actor: 'bob' })
  await app.inject({ method: 'POST', url: '/api/v1/sources/dc1/resync' })
  t.match(list((await get('/api/v1/events')).body['items']).at(-1), {
    cause: 'resync',
    sources: ['dc1'],
    actor: 'anonymous',
    service: null,
  })

  const page = (await get('/api/v1/events?limit=2')).body
  t.equal(list(page['items']).length, 2)
  t.equal(list((await get(`/api/v1/events?cursor=${String(page['nextCursor'])}`)).body['items'])[0]?.['id'], 3)
  t.match((await get('/api/v1/services/default/web/endpoints?at=2026-01-01T12:00:00Z')).body, {
    total: 2,
    items: [{ address: '10.0.0.1' }, {}],
  })
  t.match((await get('/api/v1/services/default/web/difference?from=0000000001s')).body, { code: 'request-invalid' })
  t.match((await get('/api/v1/services/default/web/difference?from=2026-01-01T12:00:00Z')).body, { before: [], after: [] })
  const bad: readonly (readonly [string, RegExp])[] = [
    ['/services/default/web/endpoints?at=yesterday', /"at" must be a time/],
    ['/services/default/web/endpoints?at=2099-01-01', /future/],
    ['/services/default/web/endpoints?at=1h', /reaches back to 2026-01-01T12:00:00.000Z only/],
    ['/services/default/nobody/history', /neither a source nor the ledger/],
    ['/services/default/nobody/endpoints?at=0001s', /reaches back|neither/],
    ['/events?since=x', /"since"/],
    ['/events?service=web', /namespace\/name/],
    ['/events?cursor=x', /cursor/],
  ]
  for (const [url, detail] of bad) t.match((await get(`/api/v1${url}`)).body, { detail }, url)
})

t.test('events come as they happen, from where the reader was, and a gap is told', async t => {
  const { url, gateway, env } = await listening(t, new FakeGateway())
  let round = 0
  const read = async (lastEventId: string | undefined, count: number): Promise<string> => {
    const ended = new AbortController()
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const response = await fetch(`${url}/api/v1/events/stream`, { headers, signal: ended.signal })
    t.equal(response.headers.get('content-type'), 'text/event-stream')
    let text = ''
    let isTold = false
    const body = response.body?.pipeThrough(new TextDecoderStream())
    if (body === undefined) throw new Error('no body')
    for await (const chunk of body) {
      text += chunk
      if (text.split('\ndata: ').length > count) break
      if (isTold || !text.startsWith('retry')) continue
      isTold = true
      round++
      gateway.put('dc1', 'shop/pay', round % 2 === 1 ? [] : [{ address: '10.0.0.9', port: 9090, id: 'n1/pay' }])
      // The clock stands still: only who asks has it written.
      await gateway.ledger.entries({ limit: 1 })
    }
    ended.abort()
    return text
  }
  const { last } = await gateway.ledger.extent()
  t.match(await read(undefined, 1), new RegExp(`id: ${String(last + 1)}\nevent: source\ndata: .*"service":"shop/pay"`), 'only what is new')
  t.match(await read(String(last - 1), 2), new RegExp(`id: ${String(last)}\n[^]*id: ${String(last + 1)}\n`), 'what was missed comes first')
  t.match(await read('9999', 1), /event: gap/)
  t.match(await (await fetch(`${url}/api/v1/events/stream`, { headers: { 'last-event-id': 'x' } })).json(), { status: 400 })

  const stopped = new AbortController()
  const ran = await isthmus(['events', '--follow', '--since', '2026-01-01'], {
    env,
    signal: stopped.signal,
    onOut: text => {
      if (text.includes('shop/pay') && text.includes('- 10.0.0.9:9090')) stopped.abort()
    },
  })
  t.equal(ran.code, 0)
})

t.test('history, events and endpoints --at print tables', async t => {
  const { env, gateway } = await listening(t, new FakeGateway())
  gateway.put('dc1', 'shop/pay', [{ address: '10.0.0.9', port: 9090, id: 'n1/pay', health: 'draining' }])
  t.match((await isthmus(['history', 'pay.shop'], { env })).out, /source +dc1 .*~ 10\.0\.0\.9:9090 healthy → draining/)
  t.match((await isthmus(['events', '--since', '2026-01-01'], { env })).out, /default\/web/)
  t.match((await isthmus(['endpoints', 'web', '--at', '2026-01-01T12:00:00Z'], { env })).out, /10\.0\.0\.1:8080 +healthy/)
  t.match(await isthmus(['endpoints', '--at', '5m'], { env }), { code: 2 })
  t.match(await isthmus(['history', 'web', '--since', 'x'], { env }), { code: 2, err: /since/ })
})
