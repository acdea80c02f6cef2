import { setTimeout as sleep } from 'node:timers/promises'
import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import t, { type Test } from 'tap'
import { type Backend, type BackendAnswer, startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { keepaliveSeconds } from './keepalive.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

const instanceOf = (body: string): string => (JSON.parse(body) as BackendAnswer).instance

/** A stage whose service `web` has these instances. */
async function begin(t: Test, backends: readonly Backend[]): Promise<Stage> {
  const stage = await startStage(t)
  for (const { instance, port } of backends) await stage.registerVm(instance, [vmService('web', port)])
  return stage
}

t.test('load_balancer: stickiness by cookie and by address, and least_request (emissary-resources.md 10)', async t => {
  const backends = await startBackends(t, 4)
  const stage = await begin(t, backends)
  await stage.manifests('routes', [
    mappingObject('cookie', {
      prefix: '/cookie/',
      service: 'web',
      load_balancer: { policy: 'maglev', cookie: { name: 'stick', path: '/c', ttl: '60s' } },
    }),
    mappingObject('own', { prefix: '/own/', service: 'web', load_balancer: { policy: 'ring_hash', cookie: { name: 'mine' } } }),
    mappingObject('address', { prefix: '/address/', service: 'web', load_balancer: { policy: 'maglev', source_ip: true } }),
    mappingObject('least', { prefix: '/least/', service: 'web', load_balancer: { policy: 'least_request' } }),
  ])
  await stage.answers('/least/', answer => answer.status === 200)
  await stage.synced()
  const first = await get(`${stage.url}/cookie/`)
  const [cookie = ''] = first.headers['set-cookie'] ?? []
  t.match(cookie, /^stick="?[^;"]+"?; Max-Age=60; Path=\/c; HttpOnly/i, 'Envoy issues it')
  const [pair = ''] = cookie.split(';')
  const all = async (path: string, headers: Record<string, string> = {}) =>
    new Set(await Promise.all(Array.from({ length: 20 }, async () => instanceOf((await get(stage.url + path, headers)).body))))
  t.same([...(await all('/cookie/', { cookie: pair }))], [instanceOf(first.body)])
  const spread = new Set(await Promise.all(Array.from({ length: 40 }, async () => instanceOf((await get(`${stage.url}/cookie/`)).body))))
  t.ok(spread.size > 1, 'without it every request starts anew')
  t.equal((await all('/own/', { cookie: 'mine=42' })).size, 1)
  t.equal((await get(`${stage.url}/own/`)).headers['set-cookie'], undefined, 'without ttl nobody issues one')
  t.equal((await all('/address/')).size, 1)

  const [slow] = backends
  slow.delayMs = 2_000
  const before = slow.requests
  const sent: Promise<unknown>[] = []
  for (let done = 0; done < 60; done++) {
    sent.push(get(`${stage.url}/least/`))
    await sleep(5)
  }
  await Promise.all(sent)
  t.ok(slow.requests - before < 15, `the slow one of four got ${String(slow.requests - before)} of 60`)
})

t.test('connections to upstreams: idle and life time, keepalive; names and tags of clusters (emissary-resources.md 1.2)', async t => {
  const backends = await startBackends(t, 4)
  const stage = await begin(t, backends)
  const names = ['idle', 'aged', 'kept', 'alive'] as const
  for (const [index, name] of names.entries()) await stage.registerVm(`own-${name}`, [vmService(name, backends[index]?.port ?? 0)])
  await stage.manifests('routes', [
    mappingObject('idle', { prefix: '/idle/', service: 'idle', cluster_idle_timeout_ms: 100 }),
    mappingObject('aged', { prefix: '/aged/', service: 'aged', cluster_max_connection_lifetime_ms: 100 }),
    mappingObject('kept', { prefix: '/kept/', service: 'kept', cluster_tag: 'team-a', stats_name: 'kept-by-name' }),
    mappingObject('alive', { prefix: '/alive/', service: 'alive', keepalive: { idle_time: 77, interval: 5, probes: 2 } }),
  ])
  await stage.answers('/alive/', answer => answer.status === 200)
  for (const name of names) t.equal((await get(`${stage.url}/${name}/`)).status, 200)
  const open = (index: number) => backends[index]?.connections()
  await eventually('the idle one and the old one are closed', async () => (await open(0)) === 0 && (await open(1)) === 0)
  t.ok(((await open(2)) ?? 0) > 0, 'others stay')
  const [seconds = 0] = await keepaliveSeconds(backends[3].port)
  t.ok(seconds > 0 && seconds <= 77, `the next probe is in ${String(seconds)} s`)
  t.same(await keepaliveSeconds(backends[2].port), [])
  t.ok((await stage.envoy.clusters()).cluster_statuses?.some(({ name }) => name.startsWith('team-a|default/kept')))
  t.equal((await stage.envoy.stats('^cluster.kept_by_name.upstream_rq_total$')).values().next().value, 1)
})

t.test('upstreams found by DNS: kinds and families (emissary-resources.md 1.2)', async t => {
  const backends = await startBackends(t, 1)
  const stage = await begin(t, backends)
  const service = `localhost:${String(backends[0].port)}`
  await stage.manifests('routes', [
    mappingObject('strict', { prefix: '/strict/', service }),
    mappingObject('logical', { prefix: '/logical/', service, dns_type: 'logical_dns', respect_dns_ttl: true }),
    mappingObject('v4', { prefix: '/v4/', service, enable_ipv4: true, enable_ipv6: false }),
    mappingObject('v6', { prefix: '/v6/', service, enable_ipv4: false, enable_ipv6: true }),
  ])
  for (const path of ['/strict/', '/logical/', '/v4/']) await stage.answers(path, answer => answer.status === 200)
  t.equal((await get(`${stage.url}/v6/`)).status, 503, 'nobody listens at the other family’s address')
  const { configs } = await stage.envoy.configDump('dynamic_active_clusters')
  const made = (configs as unknown as readonly { cluster: Record<string, unknown> }[]).map(({ cluster }) => cluster)
  const of = (change: Record<string, unknown>) => made.some(one => Object.entries(change).every(([key, value]) => one[key] === value))
  t.ok(of({ type: 'LOGICAL_DNS', respect_dns_ttl: true, dns_lookup_family: 'V4_PREFERRED' }))
  t.ok(of({ type: 'STRICT_DNS', dns_lookup_family: 'V4_ONLY' }))
  t.ok(of({ type: 'STRICT_DNS', dns_lookup_family: 'V6_ONLY' }))
})

const bytes = (buffer: Buffer): Buffer => buffer
const raw = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes }

/** A gRPC service with a stream, and a health service that says `serving` (grpc.health.v1). */
async function startHealthy(t: Test, name: string, serving: boolean): Promise<number> {
  const server = new Server()
  server.addService(
    {
      check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...raw },
      who: { path: '/test.Echo/Who', requestStream: false, responseStream: false, ...raw },
      chat: { path: '/test.Echo/Chat', requestStream: true, responseStream: true, ...raw },
    },
    {
      check: (_call: unknown, answer: (error: null, body: Buffer) => void) => answer(null, Buffer.from([8, serving ? 1 : 2])),
      who: (_call: unknown, answer: (error: null, body: Buffer) => void) => answer(null, Buffer.from(name)),
      chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (said: Buffer) => call.write(Buffer.from(`${name}: ${String(said)}`)))
        call.on('end', () => call.end())
      },
    },
  )
  t.teardown(() => server.forceShutdown())
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error === null ? resolve(port) : reject(error)))
  })
}

t.test('grpc: calls and streams; health checks by gRPC take those out that do not serve (emissary-resources.md 1.2)', async t => {
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('echo', await startHealthy(t, 'well', true))])
  await stage.registerVm('vm-2', [vmService('echo', await startHealthy(t, 'ill', false))])
  const check = {
    interval: '100ms',
    unhealthy_threshold: 1,
    health_check: { grpc: { upstream_name: 'test.Echo', authority: 'echo.example' } },
  }
  await stage.manifests('routes', [
    mappingObject('echo', { prefix: '/test.Echo/', service: 'echo', grpc: true, rewrite: '', health_checks: [check] }),
  ])
  const client = new Client(`127.0.0.1:${String(stage.port)}`, credentials.createInsecure())
  t.teardown(() => client.close())
  const who = () =>
    new Promise<string>(resolve => {
      client.makeUnaryRequest('/test.Echo/Who', bytes, bytes, Buffer.alloc(0), (error, value) =>
        resolve(error === null ? String(value) : `status ${String(error.code)}`),
      )
    })
  await eventually('only the one that serves is asked', async () =>
    (await Promise.all(Array.from({ length: 10 }, who))).every(one => one === 'well'),
  )
  const said = await new Promise<readonly string[]>((resolve, reject) => {
    const heard: string[] = []
    const call = client.makeBidiStreamRequest('/test.Echo/Chat', bytes, bytes)
    call.on('error', reject).on('end', () => resolve(heard))
    call.on('data', (part: Buffer) => {
      heard.push(String(part))
      if (heard.length === 1) call.write(Buffer.from('two'))
      else call.end()
    })
    call.write(Buffer.from('one'))
  })
  t.same(said, ['well: one', 'well: two'])
})
