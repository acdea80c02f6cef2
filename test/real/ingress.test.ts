import t from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { get } from './get.ts'
import { startStage, vmService } from './stage.ts'

const path = (pathType: string, value: string, name: string): object => ({
  path: value,
  pathType,
  backend: { service: { name, port: { number: 80 } } },
})

t.test('an Ingress from a file is served as its specification says', async t => {
  const backends = await startBackends(t, 3)
  const stage = await startStage(t)
  for (const [index, name] of ['a', 'b', 'c'].entries())
    await stage.registerVm(`vm-${name}`, [vmService(name, backends[index]?.port ?? 0, { namespace: 'shop' })])
  await stage.manifests('ingress', [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        ingressClassName: 'ambassador',
        defaultBackend: { service: { name: 'c', port: { name: 'http' } } },
        rules: [
          { host: 'web.example', http: { paths: [path('Prefix', '/a/', 'a'), path('Exact', '/a/x', 'b')] } },
          { host: '*.wild.example', http: { paths: [path('Prefix', '/', 'b')] } },
        ],
      },
    },
  ])
  await stage.answers('/a', answer => answer.body.includes('backend-1'), { host: 'web.example' })
  const cases: readonly (readonly [host: string, path: string, backend: number])[] = [
    ['web.example', '/a', 1],
    ['web.example', '/a/', 1],
    ['web.example', '/a/b', 1],
    ['web.example', '/a/x', 2],
    ['web.example', '/ab', 3],
    ['one.wild.example', '/', 2],
    ['one.wild.example:8080', '/', 2],
    ['two.one.wild.example', '/', 3],
    ['elsewhere.example', '/a', 3],
  ]
  for (const [host, where, backend] of cases) {
    const { status, body } = await get(stage.url + where, { host })
    t.equal(status, 200, `${host}${where}`)
    const { instance, path: seen } = JSON.parse(body) as { instance: string; path: string }
    t.strictSame([instance, seen], [`backend-${String(backend)}`, where], `${host}${where}: who answers, and the path is the one asked for`)
  }
  t.match(await stage.api('/api/v1/objects/Ingress/shop/web'), { state: 'accepted' })
})

t.test('annotations of an Ingress are options of all its paths (emissary-resources.md 8)', async t => {
  const [one, ill, slow] = await startBackends(t, 3)
  ill.status = 503
  slow.delayMs = 2_000
  const stage = await startStage(t)
  for (const [name, { port }] of Object.entries({ web: one, ill, slow })) await stage.registerVm(`vm-${name}`, [vmService(name, port)])
  const ingress = (name: string, service: string, annotations: Readonly<Record<string, string>>): object => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`isthmus.dev/${key}`, value])) },
    spec: { ingressClassName: 'ambassador', rules: [{ http: { paths: [path('Prefix', `/${name}`, service)] } }] },
  })
  await stage.manifests('ingress', [
    ingress('stripped', 'web', { 'strip-path': 'true' }),
    ingress('written', 'web', { rewrite: '/new', 'host-rewrite': 'inner.example' }),
    ingress('again', 'ill', { 'retry-policy': '{retry_on: 5xx, num_retries: 2}' }),
    ingress('short', 'slow', { 'timeout-ms': '150' }),
    ingress('few', 'web', { 'local-rate-limit': '{requests: 2, per: 1h}' }),
    ingress('typo', 'web', { 'timeout-mss': '1' }),
    ingress('wrong', 'web', { 'timeout-ms': 'soon' }),
  ])
  await stage.answers('/typo', answer => answer.status === 200)
  const seen = async (where: string) => JSON.parse((await get(stage.url + where)).body) as { path: string; headers: Record<string, string> }
  t.equal((await seen('/stripped/x')).path, '/x')
  t.match(await seen('/written/x'), { path: '/new/x', headers: { host: 'inner.example' } })
  const before = ill.requests
  t.equal((await get(`${stage.url}/again`)).status, 503)
  t.equal(ill.requests - before, 3, 'one request and two retries')
  t.equal((await get(`${stage.url}/short`)).status, 504)
  const limited = await Promise.all(Array.from({ length: 5 }, async () => (await get(`${stage.url}/few`)).status))
  t.same(limited.sort(), [200, 200, 429, 429, 429])
  t.match(await stage.api('/api/v1/objects/Ingress/default/typo'), { notices: [/timeout-mss has no effect; did you mean "timeout-ms"/] })
  t.match(await stage.api('/api/v1/objects/Ingress/default/wrong'), {
    state: 'refused',
    problems: [{ path: 'metadata.annotations.isthmus.dev/timeout-ms' }],
  })
})
