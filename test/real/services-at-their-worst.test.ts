import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startEnvoyServices } from '../tools/envoy-services.ts'
import { startGrpcBackend } from '../tools/grpc-backend.ts'
import { startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

const object = (kind: string, name: string, spec: object): object => ({
  apiVersion: 'getambassador.io/v3alpha1',
  kind,
  metadata: { name },
  spec,
})
const web = mappingObject('web', { prefix: '/web/', service: 'web' })

/** A gateway with one backend under /web/, and services of these names and ports. */
async function begin(t: Test, services: Readonly<Record<string, number>>): Promise<Stage> {
  const [backend] = await startBackends(t, 1)
  const stage = await startStage(t)
  const all = Object.entries({ web: backend.port, ...services })
  await stage.registerVm(
    'vm-1',
    all.map(([name, port]) => vmService(name, port)),
  )
  return stage
}

async function listen(t: Test, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

t.test('an AuthService that is late, by HTTP and by gRPC; the body by gRPC (emissary-resources.md 7)', async t => {
  let late = 0
  const silent = await listen(
    t,
    createServer(() => {
      late++
    }),
  )
  const seen: { readonly body?: string; readonly rawBody?: string }[] = []
  const services = await startEnvoyServices({
    check(request) {
      const { http } = (request as { attributes: { request: { http: { headers: Record<string, string>; body?: string } } } }).attributes
        .request
      seen.push(http)
      return http.headers['x-late'] === undefined ? { status: { code: 0 } } : undefined
    },
  })
  t.teardown(() => services.stop())
  const stage = await begin(t, { silent, grpc: services.port })
  const set = (spec: object) => stage.manifests('routes', [web, object('AuthService', 'auth', { timeout_ms: 200, ...spec })])
  const late403 = (answer: { status: number }) => answer.status === 403

  await set({ auth_service: 'silent' })
  await stage.answers('/web/', late403)
  t.ok(late > 0, 'it was asked')
  await set({ auth_service: 'silent', status_on_error: { code: 504 } })
  await stage.answers('/web/', answer => answer.status === 504)
  await set({ auth_service: 'silent', failure_mode_allow: true })
  await stage.answers('/web/', answer => answer.status === 200)

  const grpc = { auth_service: 'grpc', proto: 'grpc', include_body: { max_bytes: 8, allow_partial: true } }
  await set(grpc)
  await eventually('the gRPC service is asked', async () => {
    const { status } = await fetch(`${stage.url}/web/`, { method: 'POST', body: 'four and more' })
    return status === 200 && seen.at(-1)?.body === 'four and'
  })
  t.equal((await get(`${stage.url}/web/`, { 'x-late': '1' })).status, 403, 'no answer in time')
  await set({ ...grpc, failure_mode_allow: true })
  await stage.answers('/web/', answer => answer.status === 200, { 'x-late': '1' })
  await set(grpc)
  await stage.answers('/web/', late403, { 'x-late': '1' })
  services.stop()
  t.equal((await get(`${stage.url}/web/`)).status, 403, 'it is down')
  await set({ ...grpc, status_on_error: { code: 503 } })
  await stage.answers('/web/', answer => answer.status === 503)
})

t.test('a RateLimitService that counts lets exactly so many through; late, it lets all through, or none', async t => {
  const limit = 25
  const counts = new Map<string, number>()
  let answers = true
  const limits = await startEnvoyServices({
    shouldRateLimit(request) {
      if (!answers) return undefined
      const { descriptors } = request as { descriptors: readonly { entries: readonly { value: string }[] }[] }
      const who = descriptors.map(({ entries }) => entries.map(({ value }) => value).join('/')).join()
      const count = (counts.get(who) ?? 0) + 1
      counts.set(who, count)
      return { overallCode: count > limit ? 'OVER_LIMIT' : 'OK' }
    },
  })
  t.teardown(() => limits.stop())
  const echo = await startGrpcBackend('echo')
  t.teardown(() => echo.stop())
  const stage = await begin(t, { limits: limits.port, echo: echo.port })
  const labels = { ambassador: [{ who: [{ request_headers: { key: 'user', header_name: 'x-user' } }] }] }
  const routes = [
    mappingObject('web', { prefix: '/web/', service: 'web', labels }),
    mappingObject('echo', { prefix: '/test.Echo/', rewrite: '', service: 'echo', grpc: true, labels }),
  ]
  const set = (spec: object) =>
    stage.manifests('routes', [...routes, object('RateLimitService', 'limits', { service: 'limits', timeout_ms: 5000, ...spec })])
  await set({})
  await eventually('it is asked', async () => {
    await get(`${stage.url}/web/`, { 'x-user': 'first' })
    return counts.size > 0
  })
  const users = ['ann', 'ben', 'cleo', 'dan']
  const asked = Array.from({ length: 60 * users.length }, (_, index) => users[index % users.length] ?? '')
  const passed = new Map<string, number>()
  while (asked.length > 0)
    await Promise.all(
      asked.splice(0, 20).map(async user => {
        const { status } = await get(`${stage.url}/web/`, { 'x-user': user })
        const outcome = `${user} ${String(status)}`
        passed.set(outcome, (passed.get(outcome) ?? 0) + 1)
      }),
    )
  t.strictSame(
    [...passed].sort(),
    users.flatMap(user => [
      [`${user} 200`, limit],
      [`${user} 429`, 60 - limit],
    ]),
  )

  const client = new Client(`127.0.0.1:${String(stage.port)}`, credentials.createInsecure())
  t.teardown(() => client.close())
  const bytes = (buffer: Buffer): Buffer => buffer
  const call = (user: string) =>
    new Promise<string>(resolve => {
      const metadata = new Metadata()
      metadata.set('x-user', user)
      client.makeUnaryRequest('/test.Echo/Who', bytes, bytes, Buffer.alloc(0), metadata, (error, value) =>
        resolve(error === null ? String(value) : String(error.code)),
      )
    })
  t.equal(await call('grpc'), 'echo')
  t.equal(await call('ann'), '14', 'gRPC calls over the limit are unavailable')
  await set({ grpc: { use_resource_exhausted_code: true } })
  await eventually('or out of resources', async () => (await call('ann')) === '8')

  answers = false
  await set({ timeout_ms: 100 })
  await stage.answers('/web/', answer => answer.status === 200, { 'x-user': 'ann' })
  await set({ timeout_ms: 100, failure_mode_deny: true })
  await stage.answers('/web/', answer => answer.status === 500, { 'x-user': 'ann' })
})

t.test('TracingService: sampling, the collector’s address and ids of Zipkin; Datadog', async t => {
  interface Span {
    readonly traceId: string
    readonly tags: Readonly<Record<string, string>>
  }
  const spans: Span[] = []
  const requests: { readonly url: string; readonly headers: IncomingMessage['headers']; readonly body: Buffer }[] = []
  const collector = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts)
      requests.push({ url: request.url ?? '', headers: request.headers, body })
      if (request.headers['content-type'] === 'application/json') spans.push(...(JSON.parse(String(body)) as Span[]))
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  const stage = await begin(t, { collector: await listen(t, collector) })
  let turn = 0
  /** Sets it, and waits until its spans, and none of the former one's, arrive; asks with `x-turn` to tell them apart. */
  const set = async (spec: object): Promise<string> => {
    const name = `turn-${String(++turn)}`
    const custom_tags = [
      { tag: 'turn', request_header: { name: 'x-turn' } },
      { tag: 'set', literal: { value: name } },
    ]
    await stage.manifests('routes', [web, object('TracingService', 'trace', { service: 'collector', custom_tags, ...spec })])
    return name
  }
  const ask = (turn: string, more: Readonly<Record<string, string>> = {}) => get(`${stage.url}/web/`, { 'x-turn': turn, ...more })
  const seen = (name: string) => spans.filter(({ tags }) => tags['turn'] === name)
  const isIn = (name: string) =>
    eventually(`${name} is in force`, async () => {
      await ask('waiting', { 'x-client-trace-id': 'a' })
      return spans.some(({ tags }) => tags['set'] === name)
    })

  const config = { collector_endpoint: '/own/spans', collector_hostname: 'zipkin.example', trace_id_128bit: false }
  const short = await set({ driver: 'zipkin', config })
  await isIn(short)
  t.equal(spans.find(({ tags }) => tags['set'] === short)?.traceId.length, 16)
  t.match(requests.at(-1), { url: '/own/spans', headers: { host: 'zipkin.example' } })

  const half = await set({ driver: 'zipkin', sampling: { random: 50 } })
  await isIn(half)
  t.equal(spans.find(({ tags }) => tags['set'] === half)?.traceId.length, 32)
  t.equal(requests.at(-1)?.url, '/api/v2/spans')
  for (let count = 0; count < 600; count += 20) await Promise.all(Array.from({ length: 20 }, () => ask('half')))
  await ask('end', { 'x-client-trace-id': 'a' })
  await eventually('the last one is there', () => seen('end').length > 0)
  // Six standard deviations of 600 draws of a half are 73.
  t.ok(Math.abs(seen('half').length - 300) < 73, `a half of 600, got ${String(seen('half').length)}`)

  const none = await set({ driver: 'zipkin', sampling: { random: 0 } })
  await isIn(none)
  for (let count = 0; count < 20; count++) await ask('none')
  await ask('behind', { 'x-client-trace-id': 'a' })
  await eventually('what the client asks for is traced', () => seen('behind').length > 0)
  t.equal(seen('none').length, 0)

  await set({ driver: 'datadog', config: { service_name: 'edge-gateway' } })
  await eventually('Datadog hears of it', async () => {
    await ask('dog')
    return requests.some(({ url, body }) => url === '/v0.4/traces' && body.includes('edge-gateway') && body.includes('dog'))
  })
})
