import { join } from 'node:path'
import t from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, moduleObject, startStage, vmService } from './stage.ts'

const annotated = (name: string, spec: Readonly<Record<string, unknown>>, annotations: Readonly<Record<string, string>>) => ({
  ...mappingObject(name, spec),
  metadata: { name, annotations },
})

t.test('error_response_overrides: answers of upstreams and of Envoy itself, by Module and Mapping (emissary-resources.md 11)', async t => {
  const [ill] = await startBackends(t, 1)
  ill.status = 503
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('ill', ill.port)])
  await stage.file('sorry.html', '<p>sorry: %RESPONSE_CODE%</p>')
  const sorry = { on_status_code: 503, body: { text_format: 'sorry: %RESPONSE_CODE%' } }
  const routes = [
    mappingObject('plain', { prefix: '/plain/', service: 'ill' }),
    mappingObject('gone', { prefix: '/gone/', service: 'nobody' }),
    mappingObject('own', {
      ...{ prefix: '/own/', service: 'ill' },
      error_response_overrides: [{ on_status_code: 503, body: { json_format: { code: '%RESPONSE_CODE%', why: 'ill' } } }],
    }),
    mappingObject('own-gone', { prefix: '/own-gone/', service: 'nobody', error_response_overrides: [sorry] }),
    mappingObject('other', {
      ...{ prefix: '/other/', service: 'ill' },
      error_response_overrides: [{ on_status_code: 500, body: { text_format: 'never' } }],
    }),
    mappingObject('file', {
      ...{ prefix: '/file/', service: 'ill' },
      error_response_overrides: [
        { on_status_code: 503, body: { content_type: 'text/html', text_format_source: { filename: join(stage.folder, 'sorry.html') } } },
      ],
    }),
    mappingObject('no-file', {
      ...{ prefix: '/no-file/', service: 'ill' },
      error_response_overrides: [{ on_status_code: 503, body: { text_format_source: { filename: '/nowhere/at/all' } } }],
    }),
    mappingObject('bypass', { prefix: '/bypass/', service: 'ill', bypass_error_response_overrides: true }),
    mappingObject('bypass-gone', { prefix: '/bypass-gone/', service: 'nobody', bypass_error_response_overrides: true }),
  ]
  await stage.manifests('routes', routes)
  await stage.answers('/own/', answer => answer.body.includes('"why"'))
  const of = async (path: string) => {
    const { status, headers, body } = await get(stage.url + path)
    return [status, headers['content-type'] ?? '', body]
  }
  const own = await of('/own/')
  t.match(own.slice(0, 2), [503, 'application/json'])
  t.same(JSON.parse(String(own[2])), { code: 503, why: 'ill' }, 'the answer of an upstream')
  t.same(await of('/own-gone/'), [503, 'text/plain', 'sorry: 503'], 'the answer of Envoy itself')
  t.same(await of('/file/'), [503, 'text/html', '<p>sorry: 503</p>'])
  t.match(await of('/other/'), [503, 'application/json', /"instance"/], 'another status')
  t.match(await of('/plain/'), [503, 'application/json', /"instance"/])
  t.match(await of('/gone/'), [503, 'text/plain', /no healthy upstream/])
  t.match((await stage.api<{ problems: unknown }>('/api/v1/objects/Mapping/default/no-file')).problems, [
    { path: 'spec.error_response_overrides[0].body.text_format_source.filename', text: /nowhere\/at\/all cannot be read/ },
  ])

  const missing = { on_status_code: 404, body: { content_type: 'text/html', text_format: 'no %REQ(:PATH)%' } }
  await stage.manifests('module', [moduleObject({ error_response_overrides: [sorry, missing] })])
  await eventually('the Module is in force', async () => (await of('/nothing'))[2] === 'no /nothing')
  await stage.synced()
  t.same(await of('/nothing'), [404, 'text/html', 'no /nothing'], 'without any route')
  t.same(await of('/plain/'), [503, 'text/plain', 'sorry: 503'])
  t.same(await of('/gone/'), [503, 'text/plain', 'sorry: 503'])
  t.match(await of('/other/'), [503, 'application/json', /"instance"/], 'a list of its own replaces the Module’s')
  t.match((await of('/own/'))[2], /"why"/)
  t.match(await of('/bypass/'), [503, 'application/json', /"instance"/])
  t.match(await of('/bypass-gone/'), [503, 'text/plain', /no healthy upstream/])
})

t.test('isthmus.dev/local-rate-limit: each Envoy counts for itself; a limit that means nothing refuses its Mapping', async t => {
  const [web] = await startBackends(t, 1)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', web.port)])
  const limit = 'isthmus.dev/local-rate-limit'
  await stage.manifests('routes', [
    annotated('limited', { prefix: '/limited/', service: 'web' }, { [limit]: '{requests: 3, per: 1h}' }),
    annotated('burst', { prefix: '/burst/', service: 'web' }, { [limit]: '{requests: 2, per: 1h, burst: 5, status: 503}' }),
    annotated('each', { prefix: '/each/', service: 'web' }, { [limit]: '{requests: 1, per: 1h, per_connection: true}' }),
    annotated('refilled', { prefix: '/refilled/', service: 'web' }, { [limit]: '{requests: 1, per: 100ms}' }),
    annotated('bad', { prefix: '/bad/', service: 'web' }, { [limit]: '{requests: 0}' }),
    mappingObject('free', { prefix: '/free/', service: 'web' }),
  ])
  await stage.answers('/free/', answer => answer.status === 200)
  await stage.synced()
  const counted = async (path: string, times: number) => {
    const statuses: Record<number, number> = {}
    for (let index = 0; index < times; index++) {
      const { status } = await get(stage.url + path)
      statuses[status] = (statuses[status] ?? 0) + 1
    }
    return statuses
  }
  t.same(await counted('/limited/', 8), { 200: 3, 429: 5 })
  t.same(await counted('/burst/', 8), { 200: 5, 503: 3 })
  t.same(await counted('/free/', 8), { 200: 8 })
  t.same(await counted('/each/', 4), { 200: 4 }, 'every connection has its own')
  const one = async () => (await get(`${stage.url}/refilled/`)).status
  await eventually('the bucket is empty', async () => (await one()) === 429)
  await eventually('and is filled again', async () => (await one()) === 200)
  t.match((await stage.api<{ problems: unknown }>('/api/v1/objects/Mapping/default/bad')).problems, [
    { path: 'metadata.annotations.isthmus.dev/local-rate-limit', text: /^requests: expected a whole number from 1 to/ },
  ])
  t.equal((await get(`${stage.url}/bad/`)).status, 404)
})
