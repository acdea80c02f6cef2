import t from 'tap'
import { startEnvoyServices } from '../tools/envoy-services.ts'
import { type BackendAnswer, startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { keepaliveSeconds } from './keepalive.ts'
import { exchange } from './raw.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

/** emissary-resources.md 6: what the Module says counts for every Mapping that does not say it itself. */

interface Descriptors {
  readonly domain: string
  readonly descriptors: readonly { readonly entries: readonly { readonly key: string; readonly value: string }[] }[]
}

const object = (kind: string, name: string, spec: object): object => ({
  ...{ apiVersion: 'getambassador.io/v3alpha1', kind, spec },
  metadata: { name },
})

t.test('Module: defaults of Mappings, beside Mappings with a word of their own', async t => {
  const backends = await startBackends(t, 4)
  const [one, two, slow, own] = backends
  const asked: Descriptors[] = []
  const limits = await startEnvoyServices({
    shouldRateLimit: request => {
      asked.push(request as unknown as Descriptors)
      return { overallCode: 'OK' }
    },
  })
  t.teardown(() => limits.stop())
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [
    ...[vmService('web', one.port), vmService('slow', slow.port), vmService('own', own.port), vmService('limits', limits.port)],
  ])
  await stage.registerVm('vm-2', [vmService('web', two.port)])
  const local = `localhost:${String(own.port)}`
  const header = (value: string): object => ({ value, append: false })
  await stage.manifests('routes', [
    object('Module', 'ambassador', {
      config: {
        circuit_breakers: [{ max_connections: 1, max_pending_requests: 1, max_requests: 2 }],
        cors: { origins: ['https://shop.example'], methods: ['GET'], max_age: '60' },
        load_balancer: { policy: 'ring_hash', header: 'x-user' },
        ...{ cluster_idle_timeout_ms: 60_000, cluster_max_connection_lifetime_ms: 150, keepalive: { time: 77, interval: 5, probes: 2 } },
        ...{ add_linkerd_headers: true, enable_ipv4: false, enable_ipv6: true, use_ambassador_namespace_for_service_resolution: true },
        ...{ default_label_domain: 'mine', default_labels: { mine: { defaults: [{ generic_key: { value: 'always' } }] } } },
        defaults: {
          httpmapping: { add_request_headers: { 'x-to': header('all') }, remove_response_headers: ['content-type'] },
          ...{ add_response_headers: { 'x-back': header('all') }, remove_request_headers: ['x-secret'], stats_name: 'everybody' },
        },
        ...{ buffer_limit_bytes: 1000, lua_scripts: 'function envoy_on_request(handle) handle:body() end' },
      },
    }),
    object('RateLimitService', 'limits', { service: 'limits', timeout_ms: 2000 }),
    {
      ...mappingObject('web', { prefix: '/web/', service: 'web', timeout_ms: 10_000 }),
      metadata: { name: 'web', namespace: 'red' },
    },
    mappingObject('slow', { prefix: '/slow/', service: 'slow', cluster_max_connection_lifetime_ms: 0 }),
    mappingObject('dns', { prefix: '/dns/', service: local }),
    mappingObject('own', {
      ...{ prefix: '/own/', service: 'own', circuit_breakers: [{ max_connections: 99 }], cors: { origins: ['https://own.example'] } },
      ...{ load_balancer: { policy: 'round_robin' }, cluster_max_connection_lifetime_ms: 60_000, add_linkerd_headers: false },
      ...{ keepalive: { idle_time: 33 }, add_request_headers: { 'x-to': header('own') }, stats_name: 'own' },
      ...{ remove_request_headers: ['x-other'], labels: { mine: [{ mine: [{ generic_key: { value: 'mine' } }] }] } },
    }),
    mappingObject('own-dns', { prefix: '/own-dns/', service: local, enable_ipv4: true, enable_ipv6: false }),
  ])
  await stage.answers('/own-dns/', answer => answer.status === 200)
  await stage.synced()
  const answer = async (path: string, headers: Record<string, string> = {}) => {
    const got = await get(stage.url + path, headers)
    return { ...got, seen: got.status === 200 ? (JSON.parse(got.body) as BackendAnswer) : undefined }
  }

  const web = await answer('/web/', { 'x-secret': 's', 'x-other': 'o', origin: 'https://shop.example' })
  t.equal(web.status, 200, 'web is that of the namespace default, not of red (use_ambassador_namespace_for_service_resolution)')
  t.match(web.seen?.headers, { 'x-to': 'all', 'x-other': 'o', 'l5d-dst-override': 'web.default.svc.cluster.local:80' })
  t.notOk('x-secret' in (web.seen?.headers ?? {}))
  t.match(web.headers, { 'x-back': 'all', 'access-control-allow-origin': 'https://shop.example' })
  t.notOk('content-type' in web.headers)
  const mine = await answer('/own/', { 'x-secret': 's', 'x-other': 'o', origin: 'https://own.example' })
  t.match(mine.seen?.headers, { 'x-to': 'own', 'x-secret': 's' })
  t.notOk('x-other' in (mine.seen?.headers ?? {}) || 'l5d-dst-override' in (mine.seen?.headers ?? {}))
  t.equal(mine.headers['access-control-allow-origin'], 'https://own.example')

  const instances = async (path: string) =>
    new Set(await Promise.all(Array.from({ length: 12 }, async () => (await answer(path, { 'x-user': 'ann' })).seen?.instance)))
  slow.delayMs = 300
  const all = await Promise.all(Array.from({ length: 6 }, () => answer('/slow/')))
  t.same(new Set(all.map(({ status }) => status)), new Set([200, 503]), 'circuit_breakers')
  t.ok(all.filter(({ status }) => status === 503).length >= 3, 'one is served, one waits')
  let sticky = new Set<string | undefined>()
  for (let turn = 0; turn < 12; turn++) sticky = new Set([...sticky, (await answer('/web/', { 'x-user': 'ann' })).seen?.instance])
  t.equal(sticky.size, 1, 'load_balancer: one user, one instance')
  t.same([...(await instances('/own/'))], [own.instance], 'twelve at once are within its own circuit_breakers')

  t.equal((await answer('/dns/')).status, 503, 'enable_ipv4: false: nobody listens at the other family’s address')
  t.equal((await answer('/own-dns/')).status, 200)

  const descriptors = (): readonly string[] =>
    asked.flatMap(({ domain, descriptors: list }) => list.map(({ entries }) => `${domain} ${entries.map(({ value }) => value).join(',')}`))
  t.same(new Set(descriptors()), new Set(['mine always', 'mine always,mine']), 'default_labels of default_label_domain')

  const [seconds = 0] = await keepaliveSeconds(slow.port)
  t.ok(seconds > 33 && seconds <= 77, `keepalive: the next probe is in ${String(seconds)} s`)
  const [ownSeconds = 0] = await keepaliveSeconds(own.port)
  t.ok(ownSeconds > 0 && ownSeconds <= 33, `its own: in ${String(ownSeconds)} s`)
  await eventually('connections of over 150 ms are closed', async () => (await one.connections()) + (await two.connections()) === 0)
  t.ok((await own.connections()) > 0, 'its own life time is longer')

  const stats = await stage.envoy.stats('^cluster.(everybody|own).upstream_rq_total$')
  t.same([...stats.keys()].sort(), ['cluster.everybody.upstream_rq_total', 'cluster.own.upstream_rq_total'])

  const post = (bytes: number) =>
    exchange(
      stage.port,
      `POST /own/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${String(bytes)}\r\n\r\n${'x'.repeat(bytes)}`,
    )
  t.match(await post(500), /^HTTP\/1\.1 200 /)
  t.match(await post(5000), /^HTTP\/1\.1 413 /, 'buffer_limit_bytes: no more is held for whoever reads the body')
})
