import t from 'tap'
import { type Backend, startBackends } from '../tools/http-backend.ts'
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

t.test('Mapping: what becomes of requests and answers (emissary-resources.md 1.3)', async t => {
  const backends = await startBackends(t, 3)
  const [a, b, mirror] = backends as [Backend, Backend, Backend]
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('a', a.port), vmService('b', b.port), vmService('mirror', mirror.port)])
  const map = (name: string, spec: Readonly<Record<string, unknown>>): object =>
    mappingObject(name, { prefix: `/${name}/`, service: 'a', ...spec })
  await stage.manifests('routes', [
    map('regexed', { regex_rewrite: { pattern: '^/regexed/([a-z]+)/(.*)$', substitution: '/\\2/of/\\1' } }),
    map('hosted', { host_rewrite: 'inner.example' }),
    map('auto', { service: `localhost:${String(a.port)}`, auto_host_rewrite: true }),
    map('moved', { service: 'https://new.example:8443', host_redirect: true, prefix_redirect: '/to/', redirect_response_code: 303 }),
    map('headers', {
      add_request_headers: {
        'X-One': { value: 'mapping' },
        'X-Two': { value: 'instead', append: false },
        'x-via': { value: '%PROTOCOL% 100%%' },
      },
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
  t.equal((await ask(stage, '/auto/')).headers['host'], 'localhost')
  const moved = await get(`${stage.url}/moved/x?y=z`, { host: 'web.example' })
  t.match(moved, { status: 303, headers: { location: 'https://new.example:8443/to/x?y=z' } })
  const changed = await ask(stage, '/headers/', { headers: { 'x-one': 'client', 'x-two': 'client', 'x-secret': 's' } })
  t.match(changed.headers, {
    'x-one': 'client, mapping',
    'x-two': 'instead',
    'x-via': 'HTTP/1.1 100%',
    'l5d-dst-override': 'a.default.svc.cluster.local:80',
  })
  t.notOk('x-secret' in changed.headers)
  t.equal(changed.answer.get('x-answer'), 'yes')
  t.equal(changed.answer.get('content-type'), null)

  const origin = 'https://site.example'
  const asked = a.requests
  const preflight = await ask(stage, '/cors/', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT' } })
  t.match(Object.fromEntries(preflight.answer), {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': /GET.*PUT/,
    'access-control-allow-headers': 'x-a',
    'access-control-allow-credentials': 'true',
    'access-control-max-age': '60',
  })
  t.equal(a.requests, asked, 'Envoy answers, the service is not asked')
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

  mirror.status = 500
  const before = mirror.requests
  for (let round = 0; round < 20; round++) t.equal((await ask(stage, '/shadowed/')).instance, 'backend-1', 'the mirror answers nobody')
  await eventually('each request is mirrored', () => mirror.requests === before + 20)
  for (let round = 0; round < 3000; round += 20) await Promise.all(Array.from({ length: 20 }, () => get(`${stage.url}/shadowed-half/`)))
  // Six standard deviations of half of 3,000 are 164.
  await eventually('half are', () => mirror.requests > before + 20 + 1336)
  t.ok(mirror.requests < before + 20 + 1664, `${String(mirror.requests - before - 20)} of 3000`)
  t.match(await stage.api('/api/v1/objects/Mapping/default/lonely-shadow'), { state: 'refused', problems: [{ path: 'spec.shadow' }] })

  const stats = await (await fetch(`${stage.envoy.adminUrl}/clusters`)).text()
  t.match(stats, /options:[0-9a-f]+::high_priority::max_requests::7/)
  t.match(stats, /options:[0-9a-f]+::default_priority::max_connections::5/)
})
