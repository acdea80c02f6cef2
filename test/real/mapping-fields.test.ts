import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startGrpcBackend } from '../tools/grpc-backend.ts'
import { type Backend, startBackends, stopBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

interface Seen {
  readonly status: number
  readonly instance: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly answer: Headers
}

async function ask(stage: Stage, path: string, init: RequestInit = {}): Promise<Seen> {
  const response = await fetch(stage.url + path, { redirect: 'manual', ...init })
  const text = await response.text()
  const seen = text.startsWith('{')
    ? (JSON.parse(text) as Pick<Seen, 'instance' | 'path' | 'headers'>)
    : { instance: '', path: '', headers: {} }
  return { status: response.status, ...seen, answer: response.headers }
}

t.test('Mapping: what routes do to requests and answers (emissary-resources.md 1.3)', async t => {
  const backends = await startBackends(3)
  t.teardown(() => stopBackends(backends))
  const [a, b, mirror] = backends as [Backend, Backend, Backend]
  const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }] })
  await stage.registerVm('vm-1', [vmService('a', a.port), vmService('b', b.port), vmService('mirror', mirror.port)])
  const map = (name: string, spec: Readonly<Record<string, unknown>>): object =>
    mappingObject(name, { prefix: `/${name}/`, service: 'a', ...spec })
  await stage.manifests('routes', [
    map('regexed', { regex_rewrite: { pattern: '^/regexed/([a-z]+)/(.*)$', substitution: '/\\2/of/\\1' } }),
    map('hosted', { host_rewrite: 'inner.example' }),
    map('headers', {
      add_request_headers: { 'X-One': { value: 'mapping' }, 'X-Two': { value: 'instead', append: false } },
      remove_request_headers: ['X-Secret'],
      add_response_headers: { 'x-answer': { value: 'yes' } },
      remove_response_headers: ['Content-Type'],
      add_linkerd_headers: true,
    }),
    map('cors', {
      cors: {
        origins: ['https://site.example'],
        methods: ['GET', 'PUT'],
        headers: ['x-a'],
        exposed_headers: ['x-b'],
        credentials: true,
        max_age: '60',
      },
    }),
    map('redirected', { service: 'elsewhere.example:8443', host_redirect: true }),
    map('redirected-path', { service: 'elsewhere.example', host_redirect: true, path_redirect: '/whole', redirect_response_code: 302 }),
    map('redirected-prefix', { service: 'elsewhere.example', host_redirect: true, prefix_redirect: '/new/', redirect_response_code: 307 }),
    map('redirected-regex', {
      ...{ service: 'elsewhere.example', host_redirect: true, redirect_response_code: 308 },
      regex_redirect: { pattern: '^/redirected-regex/(.*)$', substitution: '/r/\\1' },
    }),
    map('shadowed', {}),
    { ...mappingObject('shadow', { prefix: '/shadowed/', service: 'mirror', shadow: true }) },
    map('shadowed-half', {}),
    { ...mappingObject('shadow-half', { prefix: '/shadowed-half/', service: 'mirror', shadow: true, weight: 50 }) },
    mappingObject('lonely-shadow', { prefix: '/nobody-answers/', service: 'mirror', shadow: true }),
    map('urgent', { priority: 'high', circuit_breakers: [{ priority: 'high', max_requests: 7 }, { max_connections: 5 }] }),
  ])
  await stage.answers('/urgent/', answer => answer.status === 200)

  t.equal((await ask(stage, '/regexed/cats/7')).path, '/7/of/cats')
  t.equal((await ask(stage, '/hosted/')).headers['host'], 'inner.example')
  const changed = await ask(stage, '/headers/', { headers: { 'x-one': 'client', 'x-two': 'client', 'x-secret': 's' } })
  t.match(changed.headers, { 'x-one': 'client, mapping', 'x-two': 'instead', 'l5d-dst-override': 'a.default.svc.cluster.local:80' })
  t.notOk('x-secret' in changed.headers)
  t.equal(changed.answer.get('x-answer'), 'yes')
  t.equal(changed.answer.get('content-type'), null)

  const origin = 'https://site.example'
  const preflight = await ask(stage, '/cors/', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } })
  t.match(Object.fromEntries(preflight.answer), {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': /GET.*PUT/,
    'access-control-allow-headers': 'x-a',
    'access-control-allow-credentials': 'true',
    'access-control-max-age': '60',
  })
  t.equal((await ask(stage, '/cors/', { headers: { origin } })).answer.get('access-control-expose-headers'), 'x-b')
  t.equal((await ask(stage, '/cors/', { headers: { origin: 'https://other.example' } })).answer.get('access-control-allow-origin'), null)

  for (const [path, status, location] of [
    ['/redirected/a?b=c', 301, 'http://elsewhere.example:8443/redirected/a?b=c'],
    ['/redirected-path/a', 302, 'http://elsewhere.example/whole'],
    ['/redirected-prefix/a', 307, 'http://elsewhere.example/new/a'],
    ['/redirected-regex/a', 308, 'http://elsewhere.example/r/a'],
  ] as const) {
    const { status: got, answer } = await ask(stage, path)
    t.strictSame([got, answer.get('location')?.replace(/:\d+(?=\/)/, at => (location.includes(at) ? at : ''))], [status, location], path)
  }

  const before = mirror.requests
  for (let round = 0; round < 20; round++) t.equal((await ask(stage, '/shadowed/')).instance, 'backend-1', 'the mirror answers nobody')
  await eventually('each request is mirrored', () => mirror.requests === before + 20)
  for (let round = 0; round < 1000; round++) await get(`${stage.url}/shadowed-half/`)
  await eventually('half are', () => mirror.requests > before + 20 + 400)
  // Six standard deviations of half of 1,000 are 95.
  t.ok(mirror.requests < before + 20 + 595, `${String(mirror.requests - before - 20)} of 1000`)
  t.match(await stage.api('/api/v1/objects/Mapping/default/lonely-shadow'), { state: 'refused', problems: [{ path: 'spec.shadow' }] })

  const stats = await (await fetch(`${stage.envoy.adminUrl}/clusters`)).text()
  t.match(stats, /options:[0-9a-f]+::high_priority::max_requests::7/)
  t.match(stats, /options:[0-9a-f]+::default_priority::max_connections::5/)
})

t.test('time-outs and retries: which attempt, how long', async t => {
  let attempts = 0
  let failing = 0
  const flaky = createServer((incoming, response) => {
    attempts++
    incoming.resume()
    if (incoming.url?.startsWith('/hang') === true) return
    if (failing-- > 0) response.writeHead(503).end()
    else response.writeHead(200).end('{}')
  }).listen(0, '127.0.0.1')
  await once(flaky, 'listening')
  t.teardown(() => {
    flaky.closeAllConnections()
    flaky.close()
  })
  const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }] })
  await stage.registerVm('vm-1', [vmService('flaky', (flaky.address() as AddressInfo).port)])
  await stage.manifests('routes', [
    mappingObject('thrice', { prefix: '/thrice/', service: 'flaky', retry_policy: { retry_on: '5xx', num_retries: 2 } }),
    mappingObject('once', { prefix: '/once/', service: 'flaky' }),
    mappingObject('tries', {
      ...{ prefix: '/tries/', service: 'flaky', rewrite: '/hang/', timeout_ms: 2000 },
      retry_policy: { retry_on: 'gateway-error', num_retries: 3, per_try_timeout: '100ms' },
    }),
    mappingObject('idle', { prefix: '/idle/', service: 'flaky', rewrite: '/hang/', timeout_ms: 0, idle_timeout_ms: 100 }),
  ])
  await stage.answers('/once/', answer => answer.status === 200)
  failing = 2
  attempts = 0
  t.equal((await ask(stage, '/thrice/')).status, 200)
  t.equal(attempts, 3, 'two failures, then the answer')
  failing = 1
  t.equal((await ask(stage, '/once/')).status, 503, 'nothing is tried again that was not asked for')
  attempts = 0
  t.equal((await ask(stage, '/tries/')).status, 504)
  t.equal(attempts, 4, 'each try had its own time')
  t.equal((await ask(stage, '/idle/')).status, 504, 'without time-out the stream still must not be idle')
})

t.test('upgrades, gRPC, active health checks and outlier detection', async t => {
  const echo = createServer().on('upgrade', (_incoming, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')
    socket.pipe(socket)
    socket.on('error', () => socket.destroy())
  })
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  t.teardown(() => {
    echo.closeAllConnections()
    echo.close()
  })
  const grpc = await startGrpcBackend('the gRPC one')
  t.teardown(() => grpc.stop())
  const backends = await startBackends(3)
  t.teardown(() => stopBackends(backends))
  const [good, bad, sick] = backends as [Backend, Backend, Backend]
  const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }] })
  const two = { name: 'two', namespace: 'default', address: '127.0.0.1', health: 'healthy' }
  await stage.registerVm('vm-1', [
    vmService('echo', (echo.address() as AddressInfo).port),
    vmService('grpc', grpc.port),
    { ...two, ports: [{ name: 'http', port: good.port }] },
    { ...two, name: 'pair', ports: [{ name: 'http', port: good.port }] },
  ])
  await stage.registerVm('vm-2', [{ ...two, ports: [{ name: 'http', port: bad.port }] }])
  await stage.registerVm('vm-3', [{ ...two, name: 'pair', ports: [{ name: 'http', port: sick.port }] }])
  sick.status = 500
  await stage.manifests('routes', [
    mappingObject('echo', { prefix: '/echo/', service: 'echo', allow_upgrade: ['websocket'], timeout_ms: 300 }),
    mappingObject('plain', { prefix: '/plain/', service: 'echo' }),
    mappingObject('grpc', { prefix: '/test.Echo/', service: 'grpc', grpc: true, rewrite: '' }),
    mappingObject('probed', {
      ...{ prefix: '/probed/', service: 'pair' },
      health_checks: [
        {
          interval: '100ms',
          timeout: '1s',
          unhealthy_threshold: 1,
          health_check: { http: { path: '/health', expected_statuses: [{ min: 200, max: 204 }] } },
        },
      ],
    }),
    mappingObject('watched', {
      prefix: '/watched/',
      service: 'two',
      outlier_detection: '{"consecutive_5xx": 3, "interval": "100ms", "base_ejection_time": "60s", "max_ejection_percent": 100}',
    }),
  ])
  await stage.answers('/watched/', answer => answer.status === 200)

  const upgrade = (path: string): Promise<{ status: number; echoed: string }> =>
    new Promise((resolve, reject) => {
      const sent = request(stage.url + path, { headers: { connection: 'upgrade', upgrade: 'websocket' }, agent: false })
      sent.on('upgrade', (response, socket) => {
        // Longer than the request's time-out: it does not count once the protocol has changed.
        setTimeout(() => socket.write('hello'), 600)
        socket.once('data', (data: Buffer) => {
          resolve({ status: response.statusCode ?? 0, echoed: data.toString() })
          socket.destroy()
        })
        socket.once('close', () => resolve({ status: 0, echoed: 'closed' }))
      })
      sent.on('response', response => resolve({ status: response.statusCode ?? 0, echoed: '' }))
      sent.on('error', reject).end()
    })
  t.strictSame(await upgrade('/echo/'), { status: 101, echoed: 'hello' })
  t.equal((await upgrade('/plain/')).status, 403, 'a route that allows no upgrade refuses it')

  const { Client, credentials } = await import('@grpc/grpc-js')
  const client = new Client(`127.0.0.1:${String(stage.port)}`, credentials.createInsecure())
  t.teardown(() => client.close())
  const bytes = (buffer: Buffer): Buffer => buffer
  const answer = await new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest('/test.Echo/Who', bytes, bytes, Buffer.alloc(0), (error, value) =>
      error === null ? resolve(String(value)) : reject(error),
    )
  })
  t.equal(answer, 'the gRPC one')

  const healthy = async (port: number): Promise<boolean> => {
    const text = await (await fetch(`${stage.envoy.adminUrl}/clusters`)).text()
    const flags = text.split('\n').filter(line => line.includes('pair') && line.includes(`:${String(port)}::health_flags`))
    return flags.length > 0 && flags.every(line => line.endsWith('healthy'))
  }
  await eventually('the probe takes the sick one out', async () => (await healthy(good.port)) && !(await healthy(sick.port)))
  for (let round = 0; round < 10; round++) t.equal((await ask(stage, '/probed/')).instance, good.instance)

  bad.status = 500
  const ejected = async (): Promise<boolean> => {
    await ask(stage, '/watched/')
    return /failed_outlier_check/.test(await (await fetch(`${stage.envoy.adminUrl}/clusters`)).text())
  }
  await eventually('three failures in a row eject it', ejected)
  for (let round = 0; round < 10; round++) t.equal((await ask(stage, '/watched/')).instance, good.instance)
})
