import t from 'tap'
import { type BackendAnswer, startBackends } from '../tools/http-backend.ts'
import { get } from './get.ts'
import { hostObject, mappingObject, startStage, vmService } from './stage.ts'

/** As mappingObject, without a hostname unless `spec` gives one. */
const mapping = (name: string, spec: Readonly<Record<string, unknown>>, labels: Readonly<Record<string, string>> = {}) => ({
  ...{ apiVersion: 'getambassador.io/v3alpha1', kind: 'Mapping' },
  ...{ metadata: { name, labels }, spec: { service: 'web', ...spec } },
})

t.test('Mapping: every matcher that routing.test.ts has not (emissary-resources.md 1.1)', async t => {
  const [web] = await startBackends(t, 1)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', web.port)])
  const long = `/${'x'.repeat(4_999)}`
  await stage.manifests('base', [
    ...[
      {
        ...hostObject('labelled.example', 'labelled'),
        spec: {
          hostname: 'labelled.example',
          mappingSelector: { matchLabels: { on: 'labelled' } },
          requestPolicy: { insecure: { action: 'Route' } },
        },
      },
    ],
    ...[hostObject()],
    {
      ...{ apiVersion: 'getambassador.io/v3alpha1', kind: 'Listener', metadata: { name: 'http' } },
      spec: { port: stage.port, protocol: 'HTTP', securityModel: 'INSECURE', hostBinding: { namespace: { from: 'ALL' } } },
    },
  ])
  const every = { hostname: '*' }
  await stage.manifests('routes', [
    mapping('loose', { ...every, prefix: '/Loose/', case_sensitive: false, rewrite: '/1/' }),
    mapping('loose-regex', { ...every, prefix: '/Pattern/[a-c]+', prefix_regex: true, case_sensitive: false, rewrite: '/2/' }),
    mapping('exact-loose', { ...every, prefix: '/Exact', prefix_exact: true, case_sensitive: false, rewrite: '/3/' }),
    mapping('host', { host: 'host.example', prefix: '/host/', rewrite: '/4/' }),
    mapping('host-regex', { host: '(red|blue)\\.example', host_regex: true, prefix: '/host/', rewrite: '/5/' }),
    mapping('authority', { headers: { ':authority': 'authority.example' }, prefix: '/host/', rewrite: '/6/' }),
    mapping('method', { ...every, prefix: '/method/', method: 'P(UT|ATCH)', method_regex: true, rewrite: '/7/' }),
    mapping('query', { ...every, prefix: '/query/', regex_query_parameters: { page: '[0-9]+' }, rewrite: '/8/' }),
    mapping('query-there', { ...every, prefix: '/query/', regex_query_parameters: { any: '.*' }, rewrite: '/9/' }),
    mapping('header-there', { ...every, prefix: '/header/', regex_headers: { 'X-Any': '.*' }, rewrite: '/10/' }),
    mapping('labelled', { prefix: '/', rewrite: '/11/' }, { on: 'labelled' }),
    mapping('suffix', { hostname: 'web.*', prefix: '/host/', rewrite: '/12/' }),
    mapping('long', { ...every, prefix: `${long}/`, rewrite: '/13/' }),
    mappingObject('last', { prefix: '/last/', service: 'web' }),
  ])
  await stage.answers('/last/', answer => answer.status === 200)
  const asked: readonly (readonly [
    path: string,
    rewritten: string | 404,
    init?: { host?: string; method?: string; headers?: Record<string, string> },
  ])[] = [
    ['/lOOSE/x', '/1/x'],
    ['/PATTERN/ABC', '/2/'],
    ['/PATTERN/xyz', 404],
    ['/eXACT', '/3/'],
    ['/exact/x', 404],
    ['/host/', '/4/', { host: 'host.example' }],
    ['/host/', '/5/', { host: 'blue.example' }],
    ['/host/', 404, { host: 'green.example' }],
    ['/host/', '/6/', { host: 'authority.example' }],
    ['/host/', '/12/', { host: 'web.anything' }],
    ['/method/', '/7/', { method: 'PATCH' }],
    ['/method/', 404, { method: 'POST' }],
    ['/query/?page=12', '/8/?page=12'],
    ['/query/?page=x', 404],
    ['/query/?any=', '/9/?any='],
    ['/header/', '/10/', { headers: { 'x-any': '' } }],
    ['/header/', 404],
    ['/anything', '/11/anything', { host: 'labelled.example' }],
    ['/loose/', '/11/loose/', { host: 'labelled.example' }],
    [`${long}/y`, '/13/y'],
  ]
  for (const [path, wanted, { host, method = 'GET', headers = {} } = {}] of asked) {
    const said = { ...headers, ...(host === undefined ? {} : { host }) }
    const answer =
      method === 'GET'
        ? await get(stage.url + path, said)
        : await fetch(stage.url + path, { method }).then(async one => ({ status: one.status, body: await one.text() }))
    const got = answer.status === 200 ? (JSON.parse(answer.body) as BackendAnswer).path : answer.status
    t.equal(got, wanted, `${method} ${host ?? ''}${path.slice(0, 40)}`)
  }
})
