import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startEnvoyServices } from '../tools/envoy-services.ts'
import { type BackendAnswer, startBackends } from '../tools/http-backend.ts'
import type { Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

/** emissary-resources.md 7: fields of the service kinds that services.test.ts does not show. */

interface Told {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** An HTTP server that says 200 to all it is told. */
async function startListener(t: Teardown): Promise<{ readonly port: number; readonly told: Told[] }> {
  const told: Told[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('latin1').on('data', (text: string) => (body += text))
    request.on('end', () => {
      told.push({ path: request.url ?? '', headers: request.headers, body })
      response.writeHead(200).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, told }
}

const object = (kind: string, name: string, spec: object): object => ({
  ...{ apiVersion: 'getambassador.io/v3alpha1', kind, spec },
  metadata: { name },
})

t.test('fields of AuthService, RateLimitService, LogService and TracingService', async t => {
  const [backend] = await startBackends(t, 1)
  const logged: unknown[] = []
  const [auth, zipkin, services] = [
    await startListener(t),
    await startListener(t),
    await startEnvoyServices({ shouldRateLimit: () => ({ overallCode: 'OVER_LIMIT' }), log: message => void logged.push(message) }),
  ]
  t.teardown(() => services.stop())
  const stage = await startStage(t)
  const ports = { web: backend.port, auth: auth.port, zipkin: zipkin.port, services: services.port }
  await stage.registerVm(
    'vm-1',
    Object.entries(ports).map(([name, port]) => vmService(name, port)),
  )
  const limited = { labels: { ambassador: [{ all: [{ generic_key: { value: 'all' } }] }] } }
  const fixed = [
    mappingObject('web', { prefix: '/web/', service: 'web' }),
    mappingObject('limited', { prefix: '/limited/', service: 'web', ...limited }),
    object('AuthService', 'auth', { auth_service: 'auth', allow_request_body: true, stats_name: 'auth-by-name', protocol_version: 'v3' }),
    object('LogService', 'log', {
      ...{ service: 'services', driver: 'http', grpc: true, stats_name: 'log-by-name', protocol_version: 'v3' },
      ...{ flush_interval_time: 86_400, flush_interval_byte_size: 1 },
    }),
  ]
  let turn = 0
  const set = async (tracing: object): Promise<void> => {
    // A name that each turn changes tells when Envoy has taken it.
    const name = `turn-${String(++turn)}`
    await stage.manifests('routes', [
      ...fixed,
      object('Module', 'ambassador', { config: { server_name: name } }),
      object('RateLimitService', 'limits', {
        service: 'services',
        timeout_ms: 5000,
        stats_name: 'limits-by-name',
        protocol_version: 'v3',
      }),
      object('TracingService', 'trace', { driver: 'zipkin', service: 'zipkin', stats_name: 'trace-by-name', ...tracing }),
    ])
    await eventually('it is in force', async () => (await get(`${stage.url}/nothing`)).headers['server'] === name)
    await stage.synced()
  }
  let asked = 0
  /** What the backend was told by requests with headers, and what Envoy told of them. */
  const traced = async (headers: Readonly<Record<string, string>> = {}) => {
    const path = `/web/asked-${String(++asked)}-`
    let body = ''
    // Five spans are sent at once; fewer wait for five seconds.
    for (let index = 0; index < 5; index++) body = (await get(`${stage.url}${path}`, headers)).body
    await eventually('its span is told', () => zipkin.told.some(one => one.body.includes(path)))
    return { seen: (JSON.parse(body) as BackendAnswer).headers, span: zipkin.told.find(one => one.body.includes(path)) }
  }
  await set({})
  t.equal((await get(`${stage.url}/limited/`)).status, 429)
  const body = 'x'.repeat(5000)
  t.equal((await fetch(`${stage.url}/web/`, { method: 'POST', body })).status, 200)
  t.equal(auth.told.at(-1)?.body, body.slice(0, 4096), 'allow_request_body: the first 4,096 bytes')
  await eventually('flush_interval_byte_size: a log does not wait for a day', () =>
    JSON.stringify(logged).includes('"originalPath":"/web/"'),
  )

  await set({ tag_headers: ['X-User'], config: { trace_id_128bit: false } })
  const short = await traced({ 'x-user': 'ann' })
  t.match(short.span, { path: '/api/v2/spans', headers: { 'content-type': 'application/json' } })
  t.match(short.span?.body, /"X-User":"ann"/i, 'tag_headers')
  t.match(short.seen['x-b3-traceid'], /^[0-9a-f]{16}$/, 'trace_id_128bit: false')
  const parent = { 'x-b3-traceid': '0123456789abcdef', 'x-b3-spanid': 'fedcba9876543210', 'x-b3-sampled': '1' }
  t.match((await traced(parent)).span?.body, /"shared":true/, 'shared_span_context: the span of the caller')

  await set({ config: { collector_endpoint_version: 'HTTP_PROTO', shared_span_context: false } })
  const long = await traced()
  t.match(long.span, { path: '/api/v2/spans', headers: { 'content-type': 'application/x-protobuf' } })
  t.match(long.seen['x-b3-traceid'], /^[0-9a-f]{32}$/)
  await set({ config: { shared_span_context: false } })
  t.notMatch((await traced(parent)).span?.body, /"shared":true/)

  const stats = await stage.envoy.stats('^cluster.[a-z]+_by_name.upstream_rq_total$')
  t.same(
    [...stats].flatMap(([name, count]) => (count > 0 ? [name.split('.')[1]] : [])).sort(),
    ['auth_by_name', 'limits_by_name', 'log_by_name', 'trace_by_name'],
    'stats_name',
  )
})
