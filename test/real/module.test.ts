import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, constants } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { exchange } from './raw.ts'
import { mappingObject, moduleObject, moduleSetter, type Stage, startStage, vmService } from './stage.ts'

/** A stage with a backend that tells names of headers as they came, under /web/, and the Module to be set. */
async function begin(t: Test): Promise<{ stage: Stage; set: ReturnType<typeof moduleSetter> }> {
  const server = createServer((request, response) => {
    const body = JSON.stringify({ path: request.url, headers: request.headers, raw: request.rawHeaders.filter((_, at) => at % 2 === 0) })
    response.writeHead(200, { 'Content-TYPE': 'application/json', 'X-MiXed': 'yes' })
    request.resume().on('end', () => response.end(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', (server.address() as AddressInfo).port)])
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.answers('/web/', answer => answer.status === 200)
  return { stage, set: moduleSetter(stage) }
}

const seen = (body: string) => JSON.parse(body) as { path: string; headers: Record<string, string>; raw: string[] }

t.test('Module: paths, headers and limits of requests (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  const { url, port } = stage
  await set({})
  t.equal((await get(`${url}//web//a`)).status, 404)
  await set({ merge_slashes: true })
  t.equal((await get(`${url}//web//a`)).status, 200)
  t.equal((await get(`${url}/web/a%2Fb`)).status, 200)
  await set({ reject_requests_with_escaped_slashes: true })
  t.equal((await get(`${url}/web/a%2Fb`)).status, 400)

  t.equal((await get(`${url}/web/`, { x_a: '1' })).status, 200)
  await set({ headers_with_underscores_action: 'REJECT_REQUEST' })
  t.equal((await get(`${url}/web/`, { x_a: '1' })).status, 400)
  await set({ headers_with_underscores_action: 'DROP_HEADER' })
  t.notOk('x_a' in seen((await get(`${url}/web/`, { x_a: '1' })).body).headers)

  const hostOf = async () => seen((await get(`${url}/web/`, { host: `web.example:${String(port)}` })).body).headers['host']
  t.equal(await hostOf(), `web.example:${String(port)}`)
  await set({ strip_matching_host_port: true })
  t.equal(await hostOf(), 'web.example')

  const idOf = async () => seen((await get(`${url}/web/`, { 'x-request-id': 'mine' })).body).headers['x-request-id']
  t.not(await idOf(), 'mine')
  await set({ preserve_external_request_id: true })
  t.equal(await idOf(), 'mine')

  const big = { 'x-big': 'x'.repeat(3000) }
  t.equal((await get(`${url}/web/`, big)).status, 200)
  await set({ max_request_headers_kb: 2 })
  t.equal((await get(`${url}/web/`, big)).status, 431)

  const head = 'POST /web/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2000\r\n\r\n'
  const post = () => exchange(port, head + 'x'.repeat(2000))
  t.match(await post(), /^HTTP\/1\.1 200 /)
  await set({ buffer: { max_request_bytes: 1000 } })
  t.match(await post(), /^HTTP\/1\.1 413 /)

  const certificate = { 'x-forwarded-client-cert': 'By=somebody' }
  t.notOk('x-forwarded-client-cert' in seen((await get(`${url}/web/`, certificate)).body).headers)
  await set({ forward_client_cert_details: 'ALWAYS_FORWARD_ONLY' })
  t.match(seen((await get(`${url}/web/`, certificate)).body).headers, certificate)

  const told = { 'x-forwarded-for': '192.0.2.1, 192.0.2.2' }
  const clientOf = async () => seen((await get(`${url}/web/`, told)).body).headers
  await set({ xff_num_trusted_hops: 1 })
  t.equal((await clientOf())['x-envoy-external-address'], '192.0.2.2', 'one hop before us is trusted')
  await set({ xff_num_trusted_hops: 2 })
  t.equal((await clientOf())['x-envoy-external-address'], '192.0.2.1')
  await set({ use_remote_address: false })
  t.match(await clientOf(), told, 'nothing is added')

  const answer = await get(`${url}/web/`)
  t.ok('x-envoy-upstream-service-time' in answer.headers)
  await set({ suppress_envoy_headers: true })
  t.notOk('x-envoy-upstream-service-time' in (await get(`${url}/web/`)).headers)
})

t.test('Module: HTTP/1 as clients speak it (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  const { port, url } = stage
  const old = () => exchange(port, 'GET /web/ HTTP/1.0\r\nhost: a\r\n\r\n')
  await set({})
  t.match(await old(), /^HTTP\/1\.1 426 /)
  await set({ enable_http10: true })
  t.match(await old(), /^HTTP\/1\.[01] 200 /)

  const both = () =>
    exchange(
      port,
      'POST /web/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    )
  t.match(await both(), /^HTTP\/1\.1 400 /)
  await set({ allow_chunked_length: true })
  t.match(await both(), /^HTTP\/1\.1 200 /)

  const plain = () => exchange(port, 'GET /web/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-OwN: 1\r\n\r\n')
  t.match(await plain(), /\r\nx-mixed: yes\r\n/)
  await set({ proper_case: true })
  const proper = await plain()
  t.match(proper, /\r\nX-Mixed: yes\r\n/)
  t.match(proper, /"X-Own"/, 'towards upstreams, too')
  await set({ header_case_overrides: ['X-MiXed'] })
  const kept = await plain()
  t.match(kept, /\r\nX-MiXed: yes\r\n/, 'as the upstream wrote it')
  t.match(kept, /"X-OwN"/, 'as the client wrote it')

  await set({ listener_idle_timeout_ms: 100 })
  t.match(await exchange(port, 'GET /web/ HTTP/1.1\r\nHost: a\r\n\r\n'), /200 OK/, 'an idle connection is closed, or this would not end')
  await set({ proxy_100_continue: true })
  const asked = await get(`${url}/web/`, { expect: '100-continue' })
  t.equal(seen(asked.body).headers['expect'], '100-continue', 'the upstream is asked whether to go on')
})

t.test('Module: runtime_flags reach Envoys that run, and are taken back (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  /** Whether a connection outlives 20 requests that its client gives up. */
  const survives = async (): Promise<boolean> => {
    const session = connect(stage.url).on('error', () => undefined)
    await once(session, 'connect')
    for (let turn = 0; turn < 20 && !session.closed; turn++) {
      const request = session.request({ ':method': 'POST', ':path': '/web/' }).on('error', () => undefined)
      request.close(constants.NGHTTP2_CANCEL)
      await once(request, 'close')
    }
    const alive = Promise.withResolvers<boolean>()
    session.once('close', () => {
      alive.resolve(false)
    })
    if (session.closed || session.destroyed) alive.resolve(false)
    else
      session.ping(error => {
        alive.resolve(error === null)
      })
    const survived = await alive.promise
    session.destroy()
    return survived
  }
  await set({})
  t.equal(await survives(), true, 'of itself Envoy bears 500')
  const total = 'overload.premature_reset_total_stream_count'
  const flags = { [total]: 10, 'overload.premature_reset_min_stream_lifetime_seconds': 3600, 'http.max_requests_per_io_cycle': 1 }
  await set({ runtime_flags: flags })
  t.equal(await survives(), false)
  const { entries } = (await (await fetch(`${stage.envoy.adminUrl}/runtime`)).json()) as {
    entries: Record<string, { final_value: string }>
  }
  for (const [key, value] of Object.entries(flags)) t.equal(entries[key]?.final_value, String(value), key)
  await set({})
  t.equal(await survives(), true)
})

t.test('Module: who may come in, by connection and by X-Forwarded-For (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  const status = async (from?: string) => (await get(`${stage.url}/web/`, from === undefined ? {} : { 'x-forwarded-for': from })).status
  const local = { peer: '127.0.0.0/8' }
  await set({ ip_allow: [local] })
  t.equal(await status(), 200)
  await set({ ip_allow: [{ peer: '10.0.0.0/8' }, { remote: '192.0.2.0/24' }], xff_num_trusted_hops: 1 })
  t.equal(await status(), 403)
  t.equal(await status('192.0.2.9'), 200)
  t.equal(await status('198.51.100.1'), 403)
  await set({ ip_deny: [{ remote: '192.0.2.9' }], xff_num_trusted_hops: 1 })
  t.equal(await status('192.0.2.9'), 403)
  t.equal(await status('192.0.2.8'), 200)

  await stage.manifests('module', [])
  await eventually('everybody may come in', async () => (await status('192.0.2.9')) === 200)
  await stage.manifests('module', [moduleObject({ ip_deny: [{ peer: 'nobody' }] })])
  await eventually('a list that means nothing lets nobody in', async () => (await status()) === 403)
})

t.test('Module: defaults of Mappings: time-out, retries, resolver (emissary-resources.md 6)', async t => {
  const [slow, ill] = await startBackends(t, 2)
  slow.delayMs = 2_000
  ill.status = 503
  const { stage, set } = await begin(t)
  await stage.registerVm('vm-2', [vmService('slow', slow.port), vmService('ill', ill.port)])
  await stage.manifests('more', [
    mappingObject('slow', { prefix: '/slow/', service: 'slow' }),
    mappingObject('patient', { prefix: '/patient/', service: 'slow', timeout_ms: 10_000 }),
    mappingObject('ill', { prefix: '/ill/', service: 'ill' }),
    mappingObject('once', { prefix: '/once/', service: 'ill', retry_policy: { retry_on: '5xx', num_retries: 0 } }),
  ])
  await stage.answers('/ill/', answer => answer.status === 503)
  await set({ cluster_request_timeout_ms: 150, retry_policy: { retry_on: '5xx', num_retries: 2 } })
  t.equal((await get(`${stage.url}/slow/`)).status, 504)
  t.equal((await get(`${stage.url}/patient/`)).status, 200, 'its own time-out counts more')
  const before = ill.requests
  await get(`${stage.url}/ill/`)
  t.equal(ill.requests - before, 3, 'one request and two retries')
  await get(`${stage.url}/once/`)
  t.equal(ill.requests - before, 4, 'its own policy counts more')

  await set({ resolver: 'endpoint' })
  // No Kubernetes source knows the service.
  await stage.answers('/web/', answer => answer.status === 503)
  await set({})
  await stage.answers('/web/', answer => answer.status === 200)
})

t.test('Module: probes are answered by Envoy, also while the gateway is gone, or by a service (emissary-resources.md 6)', async t => {
  const { stage, set } = await begin(t)
  t.equal((await get(`${stage.url}/ambassador/v0/check_alive`)).status, 404)
  await set({ liveness_probe: {}, readiness_probe: { prefix: '/ready', service: 'web', rewrite: '/healthz' } })
  t.match(await get(`${stage.url}/ambassador/v0/check_alive`), { status: 200, body: 'ok\n' })
  t.equal(seen((await get(`${stage.url}/ready`)).body).path, '/healthz')
  const port = new URL(stage.adminUrl).port
  await set({ liveness_probe: {}, diagnostics: { enabled: true, allow_non_local: true } })
  t.match(await get(`${stage.url}/ambassador/v0/check_ready`), { status: 200 }, `the gateway itself answers, at ${port}`)
  t.match(await stage.api('/api/v1/routes?q=check_alive'), {
    items: [{ origins: [{ kind: 'Module' }], action: { kind: 'answer', status: 200 } }],
  })
  await stage.stopGateway()
  t.equal((await get(`${stage.url}/ambassador/v0/check_alive`)).status, 200)
})
