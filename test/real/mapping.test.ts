import { once } from 'node:events'
import { connect } from 'node:net'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { type Backend, type BackendAnswer, startBackends, stopBackends } from '../tools/http-backend.ts'
import type { Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

async function twoServices(t: Teardown): Promise<{ readonly stage: Stage; readonly a: Backend; readonly b: Backend }> {
  const [a, b] = await startBackends(2)
  if (a === undefined || b === undefined) throw new Error('no backends')
  t.teardown(() => stopBackends([a, b]))
  const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }] })
  await stage.registerVm('vm-a', [vmService('a', a.port)])
  await stage.registerVm('vm-b', [vmService('b', b.port)])
  return { stage, a, b }
}

async function seen(stage: Stage, path: string, headers: Record<string, string> = {}): Promise<BackendAnswer> {
  return JSON.parse((await get(stage.url + path, headers)).body) as BackendAnswer
}

t.test('what a Mapping does with requests (emissary-resources.md 1.3)', async t => {
  const { stage, a } = await twoServices(t)
  await stage.manifests('routes', [
    mappingObject('headers', {
      ...{ prefix: '/headers/', service: 'a', remove_request_headers: ['x-gone'] },
      add_request_headers: {
        'x-added': { value: 'new' },
        'x-in-place': { value: 'new', append: false },
        'x-via': { value: '%PROTOCOL% 100%%' },
      },
      ...{ add_response_headers: { 'x-answer': { value: 'yes' } }, remove_response_headers: ['content-type'] },
    }),
    mappingObject('host', { prefix: '/host/', service: 'a', host_rewrite: 'inner.example' }),
    mappingObject('auto', { prefix: '/auto/', service: `localhost:${String(a.port)}`, auto_host_rewrite: true, respect_dns_ttl: true }),
    mappingObject('pattern', {
      ...{ prefix: '/pattern/', service: 'a' },
      regex_rewrite: { pattern: '^/pattern/([a-z]+)/([0-9]+)$', substitution: '/\\2/\\1' },
    }),
    mappingObject('moved', {
      prefix: '/moved/',
      service: 'https://new.example:8443',
      host_redirect: true,
      prefix_redirect: '/to/',
      redirect_response_code: 307,
    }),
    mappingObject('linkerd', { prefix: '/linkerd/', service: 'a', add_linkerd_headers: true }),
    mappingObject('cors', {
      prefix: '/cors/',
      service: 'a',
      cors: { origins: ['https://page.example'], methods: ['GET', 'PUT'], max_age: '60' },
    }),
  ])
  await stage.answers('/cors/', answer => answer.status === 200)

  const given = { 'x-gone': '1', 'x-added': 'old', 'x-in-place': 'old' }
  const answer = await get(`${stage.url}/headers/`, given)
  const { headers } = JSON.parse(answer.body) as BackendAnswer
  t.match(headers, { 'x-added': 'old, new', 'x-in-place': 'new', 'x-via': 'HTTP/1.1 100%' })
  t.equal(headers['x-gone'], undefined)
  t.equal(answer.headers['x-answer'], 'yes')
  t.equal(answer.headers['content-type'], undefined)
  t.match(await seen(stage, '/host/'), { headers: { host: 'inner.example' } })
  t.match(await seen(stage, '/auto/'), { headers: { host: 'localhost' } })
  t.match(await seen(stage, '/pattern/abc/42'), { path: '/42/abc' })
  t.match(await seen(stage, '/linkerd/'), { headers: { 'l5d-dst-override': 'a.default.svc.cluster.local:80' } })
  t.match(await get(`${stage.url}/moved/x?y=z`, { host: 'web.example' }), {
    status: 307,
    headers: { location: 'https://new.example:8443/to/x?y=z' },
  })

  const before = a.requests
  const ask = { origin: 'https://page.example', 'access-control-request-method': 'PUT' }
  const preflight = await fetch(`${stage.url}/cors/`, { method: 'OPTIONS', headers: ask })
  t.equal(preflight.headers.get('access-control-allow-origin'), 'https://page.example')
  t.equal(preflight.headers.get('access-control-max-age'), '60')
  t.equal(a.requests, before, 'Envoy answers, the service is not asked')
  t.equal((await get(`${stage.url}/cors/`, { origin: 'https://evil.example' })).headers['access-control-allow-origin'], undefined)
})

t.test('retries, by what the service sees', async t => {
  const { stage, a } = await twoServices(t)
  await stage.manifests('routes', [
    mappingObject('once', { prefix: '/once/', service: 'a' }),
    mappingObject('thrice', { prefix: '/thrice/', service: 'a', retry_policy: { retry_on: '5xx', num_retries: 2 } }),
    mappingObject('tries', {
      ...{ prefix: '/tries/', service: 'a', timeout_ms: 5000 },
      retry_policy: { retry_on: 'gateway-error', num_retries: 1, per_try_timeout: '150ms' },
    }),
  ])
  await stage.answers('/tries/', answer => answer.status === 200)
  const attempts = async (path: string): Promise<number> => {
    const before = a.requests
    await get(stage.url + path)
    return a.requests - before
  }
  a.status = 503
  t.same([await attempts('/once/'), await attempts('/thrice/')], [1, 3])
  a.status = 200
  a.delayMs = 400
  const before = a.requests
  t.equal((await get(`${stage.url}/tries/`)).status, 504, 'each try has its own limit, far below the route’s')
  await eventually('both tries arrived', async () => a.requests - before === 2)
})

t.test('a shadow gets a copy of every request, and its answers count for nothing', async t => {
  const { stage, a, b } = await twoServices(t)
  await stage.manifests('routes', [
    mappingObject('live', { prefix: '/s/', service: 'a' }),
    mappingObject('copy', { prefix: '/s/', service: 'b', shadow: true }),
  ])
  await stage.answers('/s/', () => b.requests > 0)
  b.status = 500
  const [liveBefore, copyBefore] = [a.requests, b.requests]
  const count = 200
  for (let sent = 0; sent < count; sent += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(`${stage.url}/s/`)))
    t.ok(answers.every(({ status }) => status === 200))
  }
  t.equal(a.requests - liveBefore, count)
  await eventually('every copy arrived', async () => b.requests - copyBefore === count)
})

t.test('circuit breakers, outlier detection and health checks keep requests away', async t => {
  const { stage, a, b } = await twoServices(t)
  await stage.registerVm('vm-a', [vmService('a', a.port), vmService('ab', a.port)])
  await stage.registerVm('vm-b', [vmService('ab', b.port)])
  await stage.manifests('routes', [
    mappingObject('broken', {
      prefix: '/broken/',
      service: 'a',
      circuit_breakers: [{ max_requests: 1, max_pending_requests: 1, max_connections: 1 }],
    }),
    mappingObject('ejected', {
      ...{ prefix: '/ejected/', service: 'ab' },
      outlier_detection: '{"consecutive_5xx": 2, "interval": "0.1s", "base_ejection_time": "300s", "max_ejection_percent": 50}',
    }),
    mappingObject('checked', {
      ...{ prefix: '/checked/', service: 'ab' },
      health_checks: [
        {
          interval: '100ms',
          unhealthy_threshold: 1,
          health_check: { http: { path: '/health', expected_statuses: [{ min: 200, max: 299 }] } },
        },
      ],
    }),
  ])
  for (const path of ['/broken/', '/checked/', '/ejected/']) await stage.answers(path, answer => answer.status === 200)
  a.delayMs = 300
  const answers = await Promise.all(Array.from({ length: 6 }, () => get(`${stage.url}/broken/`)))
  t.ok(
    answers.some(({ status }) => status === 503),
    'what is over the limit is refused at once',
  )
  t.ok(answers.some(({ status }) => status === 200))
  a.delayMs = 0
  const onlyB = async (path: string): Promise<boolean> => {
    const all = await Promise.all(Array.from({ length: 10 }, () => get(stage.url + path)))
    return all.every(({ status, body }) => status === 200 && body.includes(b.instance))
  }
  a.status = 500
  await eventually('the outlier is ejected', () => onlyB('/ejected/'))
  await eventually('the one that fails its checks gets nothing', () => onlyB('/checked/'))
})

t.test('allow_upgrade lets WebSockets through, and only where it is written', async t => {
  const server = createServer()
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    socket.pipe(socket)
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }] })
  await stage.registerVm('vm-ws', [vmService('ws', (server.address() as AddressInfo).port)])
  await stage.manifests('routes', [
    mappingObject('open', { prefix: '/open/', service: 'ws', allow_upgrade: ['websocket'] }),
    mappingObject('shut', { prefix: '/shut/', service: 'ws' }),
  ])
  const upgrade = async (path: string): Promise<string> => {
    const socket = connect(stage.port, '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', (more: string) => {
      if (text === '' && more.includes(' 101 ')) socket.write('hello over there')
      text += more
      if (text.includes('hello over there') || !text.startsWith('HTTP/1.1 101')) socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`)
    await once(socket, 'close')
    return text
  }
  await eventually('the WebSocket echoes', async () => (await upgrade('/open/')).includes('hello over there'))
  t.match(await upgrade('/shut/'), /^HTTP\/1.1 403/)
})
