import { createServer, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startEnvoyServices } from '../tools/envoy-services.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePort, type Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

const api = 'getambassador.io/v3alpha1'
const object = (kind: string, name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): object => ({
  ...{ apiVersion: api, kind, spec },
  metadata: { name, annotations },
})

interface Asked {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** An HTTP auth service: allows requests whose `x-user` is known, and tells who it is. */
async function startAuth(t: Teardown): Promise<{ readonly port: number; readonly asked: Asked[]; stop(): Promise<void> }> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      asked.push({ path: request.url ?? '', headers: request.headers, body })
      const user = request.headers['x-user']
      if (user === undefined) response.writeHead(401, { 'www-authenticate': 'Basic', 'x-hidden': 'no' }).end('who are you?')
      else response.writeHead(200, { 'x-identity': `known-${String(user)}`, 'x-hidden': 'no' }).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await once(server.close(), 'close')
  }
  t.teardown(stop)
  return { port: (server.address() as AddressInfo).port, asked, stop }
}

/** A gateway with one backend under /web/, and services of these names and ports. */
async function begin(t: Teardown, services: Readonly<Record<string, number>>): Promise<Stage> {
  const [backend] = await startBackends(t, 1)
  const stage = await startStage(t)
  const all = { web: backend.port, ...services }
  await stage.registerVm(
    'vm-1',
    Object.entries(all).map(([name, port]) => vmService(name, port)),
  )
  return stage
}

const headersOf = (body: string): Readonly<Record<string, string>> =>
  (JSON.parse(body) as { headers: Readonly<Record<string, string>> }).headers

t.test('an HTTP AuthService decides; what it may see and say is what its fields allow', async t => {
  const auth = await startAuth(t)
  const stage = await begin(t, { auth: auth.port })
  const spec = {
    auth_service: 'auth',
    path_prefix: '/check',
    allowed_request_headers: ['X-User'],
    allowed_authorization_headers: ['x-identity'],
    add_auth_headers: { 'X-Gateway': 'edge' },
    include_body: { max_bytes: 4096, allow_partial: true },
  }
  await stage.manifests('routes', [
    object('AuthService', 'auth', spec),
    mappingObject('web', { prefix: '/web/', service: 'web' }),
    mappingObject('open', { prefix: '/open/', service: 'web', bypass_auth: true }),
  ])
  await stage.answers('/web/', answer => answer.status === 401)
  const refused = await get(`${stage.url}/web/a`)
  t.match(refused, { status: 401, body: 'who are you?', headers: { 'www-authenticate': 'Basic' } }, 'the answer is the service’s')
  t.equal(refused.headers['x-hidden'], undefined)
  const allowed = await get(`${stage.url}/web/a?b=1`, { 'x-user': 'ann', 'x-secret': 's' })
  t.equal(allowed.status, 200)
  t.match(headersOf(allowed.body), { 'x-identity': 'known-ann' }, 'its header goes on to the upstream')
  t.notOk('x-hidden' in headersOf(allowed.body))
  t.match(auth.asked.at(-1), { path: '/check/web/a?b=1', headers: { 'x-user': 'ann', 'x-gateway': 'edge' } })
  t.equal(auth.asked.at(-1)?.headers['x-secret'], undefined, 'it does not see what it may not see')
  const posted = await fetch(`${stage.url}/web/`, { method: 'POST', body: 'the body', headers: { 'x-user': 'ann' } })
  t.equal(posted.status, 200)
  t.equal(auth.asked.at(-1)?.body, 'the body')
  const before = auth.asked.length
  t.equal((await get(`${stage.url}/open/`)).status, 200)
  t.equal(auth.asked.length, before, 'bypass_auth: nobody is asked')

  await auth.stop()
  t.equal((await get(`${stage.url}/web/`, { 'x-user': 'ann' })).status, 403, 'a service that is down allows nothing')
  await stage.manifests('routes', [
    object('AuthService', 'auth', { ...spec, status_on_error: { code: 503 } }),
    mappingObject('web', { prefix: '/web/', service: 'web' }),
  ])
  await stage.answers('/web/', answer => answer.status === 503, { 'x-user': 'ann' })
  await stage.manifests('routes', [
    object('AuthService', 'auth', { ...spec, failure_mode_allow: true }),
    mappingObject('web', { prefix: '/web/', service: 'web' }),
  ])
  await stage.answers('/web/', answer => answer.status === 200, { 'x-user': 'ann' })
})

t.test('an AuthService that cannot be used lets nothing pass but what is not asked about (fails closed)', async t => {
  const stage = await begin(t, {})
  await stage.manifests('routes', [
    object('AuthService', 'auth', { auth_service: 'auth', proto: 'smtp' }),
    mappingObject('web', { prefix: '/web/', service: 'web' }),
    mappingObject('open', { prefix: '/open/', service: 'web', bypass_auth: true }),
  ])
  await stage.answers('/open/', answer => answer.status === 200)
  t.equal((await get(`${stage.url}/web/`)).status, 500)
  t.match(await stage.api('/api/v1/objects/AuthService/default/auth'), { state: 'refused', problems: [{ path: 'spec.proto' }] })
  await stage.manifests('routes', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.answers('/web/', answer => answer.status === 200)
})

t.test(
  'a gRPC AuthService gets the context of the route; several are asked one after the other, opt-in ones where they are named',
  async t => {
    const contexts: unknown[] = []
    const overrides: unknown[] = []
    const services = await startEnvoyServices({
      check(request, metadata) {
        const { attributes } = request as {
          attributes: { contextExtensions?: unknown; request: { http: { headers: Record<string, string> } } }
        }
        contexts.push(attributes.contextExtensions)
        overrides.push(metadata['l5d-dst-override'])
        const ok = attributes.request.http.headers['x-user'] !== undefined
        return ok
          ? { status: { code: 0 }, okResponse: { headers: [{ header: { key: 'x-identity', value: 'known' } }] } }
          : { status: { code: 7 }, deniedResponse: { status: { code: 'Unauthorized' }, body: 'no user' } }
      },
    })
    t.teardown(() => services.stop())
    const strict = await startEnvoyServices({ check: () => ({ status: { code: 7 }, deniedResponse: { status: { code: 'Forbidden' } } }) })
    t.teardown(() => strict.stop())
    const stage = await begin(t, { auth: services.port, strict: strict.port })
    await stage.manifests('routes', [
      object('AuthService', 'auth', { auth_service: 'auth', proto: 'grpc', add_linkerd_headers: true }),
      object('AuthService', 'strict', { auth_service: 'strict', proto: 'grpc', timeout_ms: 4000 }, { 'isthmus.dev/opt-in': 'true' }),
      mappingObject('web', { prefix: '/web/', service: 'web', auth_context_extensions: { team: 'shop' } }),
      {
        ...mappingObject('both', { prefix: '/both/', service: 'web' }),
        metadata: { name: 'both', annotations: { 'isthmus.dev/auth': 'auth, strict.default' } },
      },
      {
        ...mappingObject('none', { prefix: '/none/', service: 'web' }),
        metadata: { name: 'none', annotations: { 'isthmus.dev/auth': 'none' } },
      },
      {
        ...mappingObject('odd', { prefix: '/odd/', service: 'web' }),
        metadata: { name: 'odd', annotations: { 'isthmus.dev/auth': 'nobody' } },
      },
    ])
    await stage.answers('/web/', answer => answer.status === 401 && answer.body === 'no user')
    const allowed = await get(`${stage.url}/web/`, { 'x-user': 'ann' })
    t.match(headersOf(allowed.body), { 'x-identity': 'known' })
    t.strictSame(contexts.at(-1), { team: 'shop' })
    t.equal(overrides.at(-1), 'auth.default.svc.cluster.local:80')
    t.equal((await get(`${stage.url}/both/`, { 'x-user': 'ann' })).status, 403)
    t.equal((await get(`${stage.url}/none/`)).status, 200)
    t.match(await stage.api('/api/v1/objects/Mapping/default/odd'), {
      state: 'refused',
      problems: [{ text: /no AuthService default\/nobody/ }],
    })
  },
)

t.test('labels become descriptors of their domain, one service per domain', async t => {
  interface Asked {
    readonly domain: string
    readonly descriptors: readonly { readonly entries: readonly { readonly key: string; readonly value: string }[] }[]
  }
  const asked: Asked[] = []
  const answer = (request: unknown): { overallCode: string } => {
    asked.push(request as Asked)
    const over = (request as Asked).descriptors.some(one => one.entries.some(entry => entry.value === 'over'))
    return { overallCode: over ? 'OVER_LIMIT' : 'OK' }
  }
  const limits = await startEnvoyServices({ shouldRateLimit: answer })
  t.teardown(() => limits.stop())
  const stage = await begin(t, { limits: limits.port })
  const labels = {
    ambassador: [
      { path: [{ generic_key: { value: 'web' } }, { request_headers: { key: 'user', header_name: 'X-User', omit_if_not_present: true } }] },
      { must: [{ request_headers: { key: 'tenant', header_name: 'x-tenant' } }, { remote_address: { key: 'remote_address' } }] },
      { gateway: [{ request_headers: { key: 'from', header_name: 'x-tenant' } }, { source_cluster: { key: 'source_cluster' } }] },
    ],
    other: [{ all: [{ generic_key: { key: 'kind', value: 'all' } }, { destination_cluster: { key: 'destination_cluster' } }] }],
    nobody: [{ all: [{ generic_key: { value: 'x' } }] }],
  }
  await stage.manifests('routes', [
    object('RateLimitService', 'main', { service: 'limits', timeout_ms: 2000 }),
    object('RateLimitService', 'more', { service: 'limits', domain: 'other', timeout_ms: 2000 }),
    object('RateLimitService', 'twin', { service: 'limits', domain: 'other' }),
    mappingObject('web', { prefix: '/web/', service: 'web', labels }),
  ])
  await stage.answers('/web/', got => got.status === 200)
  asked.length = 0
  t.equal((await get(`${stage.url}/web/`, { 'x-user': 'ann', 'x-tenant': 'shop' })).status, 200)
  const entries = (domain: string) =>
    asked
      .filter(one => one.domain === domain)
      .flatMap(one => one.descriptors.map(d => d.entries.map(({ key, value }) => `${key}=${value}`).join(',')))
  t.strictSame(entries('ambassador'), ['generic_key=web,user=ann', 'tenant=shop,remote_address=127.0.0.1', 'from=shop,source_cluster=test'])
  t.strictSame(entries('other'), ['kind=all,destination_cluster=default/web'])
  asked.length = 0
  await get(`${stage.url}/web/`)
  t.strictSame(entries('ambassador'), ['generic_key=web'], 'without its header a label is left out, or its whole group')
  t.equal((await get(`${stage.url}/web/`, { 'x-user': 'over' })).status, 429)
  t.match(await stage.api('/api/v1/objects/RateLimitService/default/twin'), { state: 'refused', problems: [{ path: 'spec.domain' }] })
  t.match(await stage.api('/api/v1/objects/Mapping/default/web'), { notices: [/spec\.labels\.nobody has no effect/] })

  limits.stop()
  await eventually('a service that is down limits nothing', async () => (await get(`${stage.url}/web/`)).status === 200)
  await stage.manifests('routes', [
    object('RateLimitService', 'main', { service: 'limits', failure_mode_deny: true }),
    mappingObject('web', { prefix: '/web/', service: 'web', labels }),
  ])
  await stage.answers('/web/', got => got.status === 500)
})

t.test('LogService and TracingService hear of every request, changed without a restart', async t => {
  const logged: unknown[] = []
  const exported: Buffer[] = []
  const services = await startEnvoyServices({ log: message => void logged.push(message), export: bytes => void exported.push(bytes) })
  t.teardown(() => services.stop())
  const spans: { readonly path: string; readonly spans: readonly { readonly tags: Readonly<Record<string, string>> }[] }[] = []
  const zipkin = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => {
      spans.push({ path: request.url ?? '', spans: JSON.parse(body) as [] })
      response.writeHead(202).end()
    })
  }).listen(0, '127.0.0.1')
  await once(zipkin, 'listening')
  t.teardown(() => zipkin.close())
  const stage = await begin(t, { telemetry: services.port, zipkin: (zipkin.address() as AddressInfo).port })
  const web = mappingObject('web', { prefix: '/web/', service: 'web' })
  const log = {
    ...{ service: 'telemetry', driver: 'http', grpc: true, flush_interval_time: 1 },
    driver_config: { additional_log_headers: [{ header_name: 'X-User', during_response: false, during_trailer: false }] },
  }
  const tags = [
    { tag: 'user', request_header: { name: 'X-User', default_value: 'nobody' } },
    { tag: 'site', literal: { value: 'north' } },
  ]
  await stage.manifests('routes', [
    web,
    object('LogService', 'log', log),
    object('TracingService', 'trace', { driver: 'zipkin', service: 'zipkin', custom_tags: tags }),
  ])
  await eventually('a request is logged and traced', async () => {
    await get(`${stage.url}/web/a`, { 'x-user': 'ann' })
    return JSON.stringify(logged).includes('"x-user":"ann"') && JSON.stringify(spans).includes('"site":"north"')
  })
  t.ok(JSON.stringify(logged).includes('"originalPath":"/web/a"'), 'the log says which path was asked for')
  const [first] = spans.flatMap(one => one.spans).filter(span => span.tags['user'] === 'ann')
  t.match(first?.tags, { user: 'ann', site: 'north' })
  t.equal(spans[0]?.path, '/api/v2/spans')

  const config = { service_name: 'edge-gateway' }
  await stage.manifests('routes', [web, object('TracingService', 'trace', { driver: 'opentelemetry', service: 'telemetry', config })])
  await eventually('spans go to the other collector', async () => {
    await get(`${stage.url}/web/b`)
    return exported.some(bytes => bytes.includes('edge-gateway'))
  })
})

t.test('circuit_breakers of an AuthService bound what is asked at once; add_linkerd_headers, also of the Module, names it', async t => {
  const most = { now: 0, ever: 0 }
  const headers: IncomingMessage['headers'][] = []
  const waiting: (() => void)[] = []
  const slow = createServer((request, response) => {
    headers.push(request.headers)
    most.now++
    most.ever = Math.max(most.ever, most.now)
    const answer = (): void => {
      most.now--
      response.writeHead(200).end()
    }
    if (request.url === '/web/slow') waiting.push(answer)
    else answer()
  }).listen(0, '127.0.0.1')
  await once(slow, 'listening')
  t.teardown(() => {
    slow.closeAllConnections()
    slow.close()
  })
  const stage = await begin(t, { auth: (slow.address() as AddressInfo).port })
  const web = mappingObject('web', { prefix: '/web/', service: 'web' })
  const spec = {
    ...{ auth_service: 'auth', timeout_ms: 30_000, status_on_error: { code: 503 }, add_auth_headers: { 'x-a': 'b' } },
    circuit_breakers: [{ max_connections: 1, max_pending_requests: 1 }],
  }
  const auth = (more: object): object => object('AuthService', 'auth', { ...spec, ...more })
  await stage.manifests('routes', [web, auth({})])
  await eventually('requests are asked about', async () => (await get(`${stage.url}/web/`)).status === 200 && headers.length > 0)
  t.equal(headers.at(-1)?.['l5d-dst-override'], undefined)
  const asked = Array.from({ length: 8 }, () => get(`${stage.url}/web/slow`))
  let refused = 0
  for (const one of asked) void one.then(({ status }) => (refused += Number(status === 503)))
  await eventually('six are refused at once, one is asked about and one waits', () => refused === 6 && waiting.length === 1)
  waiting.shift()?.()
  await eventually('then the one that waits', () => waiting.length === 1)
  waiting.shift()?.()
  t.strictSame((await Promise.all(asked)).map(({ status }) => status).sort(), [200, 200, 503, 503, 503, 503, 503, 503])
  t.equal(most.ever, 1, 'one connection')

  const module = object('Module', 'ambassador', { config: { add_linkerd_headers: true } })
  await stage.manifests('routes', [web, auth({}), module])
  await eventually('the Module’s word counts', async () => {
    await get(`${stage.url}/web/`)
    return headers.at(-1)?.['l5d-dst-override'] === 'auth.default.svc.cluster.local:80'
  })
  t.equal(headers.at(-1)?.['x-a'], 'b', 'beside add_auth_headers')
  await stage.manifests('routes', [web, auth({ add_linkerd_headers: false }), module])
  await eventually('its own word counts more', async () => {
    await get(`${stage.url}/web/`)
    return headers.at(-1)?.['l5d-dst-override'] === undefined
  })
})

t.test('a LogService with driver tcp hears of connections of TCPMappings, and of requests as connections', async t => {
  interface Told {
    readonly identifier?: { readonly logName: string }
    readonly tcpLogs?: { readonly logEntry: readonly { readonly connectionProperties?: { readonly sentBytes?: number } }[] }
  }
  const logged: Told[] = []
  const services = await startEnvoyServices({ log: message => void logged.push(message) })
  t.teardown(() => services.stop())
  const stage = await begin(t, { telemetry: services.port })
  const port = await freePort()
  await stage.manifests('routes', [
    mappingObject('web', { prefix: '/web/', service: 'web' }),
    object('TCPMapping', 'raw', { port, service: 'web' }),
    object('LogService', 'log', { service: 'telemetry', driver: 'tcp', grpc: true, flush_interval_time: 1 }),
  ])
  const entries = () => logged.flatMap(one => one.tcpLogs?.logEntry ?? [])
  const told = (cluster: string) => JSON.stringify(entries()).includes(cluster)
  await eventually('a connection that a TCPMapping takes is logged', async () => {
    const response = await fetch(`http://127.0.0.1:${String(port)}/raw`, { headers: { connection: 'close' } }).catch(() => undefined)
    await response?.text()
    return told(`:${String(port)}`) || told(`"portValue":${String(port)}`)
  })
  t.ok(
    entries().some(entry => (entry.connectionProperties?.sentBytes ?? 0) > 0),
    'with the bytes that went through it',
  )
  await eventually('a request is logged', async () => {
    await get(`${stage.url}/web/`)
    return told(`"portValue":${String(stage.port)}`)
  })
})
