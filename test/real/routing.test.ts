import t from 'tap'
import { startConsul } from '../tools/consul-agent.ts'
import { startBackends } from '../tools/http-backend.ts'
import { get } from './get.ts'
import { hostObject, mappingObject, type Stage, startStage, vmService } from './stage.ts'

interface Answer {
  readonly status: number
  readonly instance: string
  readonly path: string
}

/** One request through Envoy, and who answered it with which path. */
async function ask(stage: Stage, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(stage.url + path, { redirect: 'manual', ...init })
  const text = await response.text()
  const body = response.status === 200 ? (JSON.parse(text) as { instance: string; path: string }) : { instance: '', path: '' }
  return { status: response.status, instance: body.instance, path: body.path }
}

t.test('requests go where Emissary would send them (emissary-resources.md 11)', async t => {
  const [a, b, c] = await startBackends(t, 3)
  const stage = await startStage(t)
  for (const [name, { port }] of Object.entries({ a, b, c })) await stage.registerVm(`vm-${name}`, [vmService(name, port)])

  await stage.manifests('routes', [
    mappingObject('short', { prefix: '/x/', service: 'a' }),
    mappingObject('long', { prefix: '/x/deep/', service: 'b' }),
    mappingObject('first', { prefix: '/x/deep/urgent/', service: 'c' }),
    mappingObject('overruled', { prefix: '/p/longer/', service: 'a' }),
    mappingObject('precedence', { prefix: '/p/', service: 'b', precedence: 1 }),
    mappingObject('exact', { prefix: '/exact', prefix_exact: true, service: 'a', rewrite: '' }),
    mappingObject('regex', { prefix: '/r/[0-9]+', prefix_regex: true, service: 'b', rewrite: '' }),
    mappingObject('get', { prefix: '/m/', service: 'a', method: 'GET' }),
    mappingObject('post', { prefix: '/m/', service: 'b', method: 'POST' }),
    mappingObject('header', { prefix: '/h/', service: 'b', headers: { 'x-color': 'blue' } }),
    mappingObject('plain', { prefix: '/h/', service: 'a' }),
    mappingObject('query', { prefix: '/h/', service: 'c', query_parameters: { color: 'red' } }),
    mappingObject('version', { prefix: '/h/', service: 'c', regex_headers: { 'x-version': '2\\..*' } }),
    mappingObject('kept', { prefix: '/kept/', service: 'a', rewrite: '' }),
    mappingObject('moved', { prefix: '/moved/', service: 'a', rewrite: '/to/' }),
    mappingObject('slow', { prefix: '/slow/', service: 'c', timeout_ms: 100 }),
    mappingObject('nobody', { prefix: '/nobody/', service: 'nobody' }),
  ])
  await stage.answers('/nobody/', answer => answer.status === 503)

  const get = { method: 'GET' }
  const expected: [string, RequestInit, Partial<Answer>][] = [
    ['/x/1', get, { instance: a.instance, path: '/1' }],
    ['/x/deep/1', get, { instance: b.instance, path: '/1' }],
    ['/x/deep/urgent/1', get, { instance: c.instance }],
    ['/p/longer/1', get, { instance: b.instance }],
    ['/exact', get, { instance: a.instance, path: '/exact' }],
    ['/exact/more', get, { status: 404 }],
    ['/r/42', get, { instance: b.instance, path: '/r/42' }],
    ['/r/x', get, { status: 404 }],
    ['/m/', get, { instance: a.instance }],
    ['/m/', { method: 'POST' }, { instance: b.instance }],
    ['/h/', get, { instance: a.instance }],
    ['/h/', { headers: { 'x-color': 'blue' } }, { instance: b.instance }],
    ['/h/?color=red', get, { instance: c.instance }],
    ['/h/', { headers: { 'x-version': '2.1' } }, { instance: c.instance }],
    ['/h/', { headers: { 'x-version': '3.1' } }, { instance: a.instance }],
    ['/kept/1', get, { path: '/kept/1' }],
    ['/moved/1', get, { path: '/to/1' }],
    ['/unknown', get, { status: 404 }],
  ]
  for (const [path, init, answer] of expected) t.match(await ask(stage, path, init), answer, `${init.method ?? 'GET'} ${path}`)

  c.delayMs = 1000
  t.match(await ask(stage, '/slow/'), { status: 504 }, 'a slow backend meets timeout_ms')
})

t.test('Hosts: a Mapping is served under its host names; insecure action Redirect sends to https', async t => {
  const backends = await startBackends(t, 2)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('a', backends[0].port)])
  await stage.registerVm('vm-2', [vmService('b', backends[1].port)])
  const redirecting = { ...hostObject('moved.example', 'moved'), spec: { hostname: 'moved.example' } }
  await stage.manifests('hosts', [
    hostObject('a.example', 'a'),
    hostObject('*.b.example', 'b'),
    redirecting,
    mappingObject('a', { hostname: 'a.example', prefix: '/', service: 'a' }),
    mappingObject('b', { hostname: '*.b.example', prefix: '/', service: 'b' }),
    mappingObject('moved', { hostname: 'moved.example', prefix: '/', service: 'a' }),
  ])
  await stage.answers('/', answer => answer.body.includes('backend-1'), { host: 'a.example' })
  await stage.answers('/', answer => answer.body.includes('backend-2'), { host: 'x.b.example:8080' })
  await stage.answers('/', answer => answer.status === 404, { host: 'other.example' })
  await stage.answers('/there', answer => answer.status === 301, { host: 'moved.example' })
  t.match(await get(`${stage.url}/there`, { host: 'moved.example' }), { status: 301, headers: { location: 'https://moved.example/there' } })
})

t.test('a canary of 30 percent gets 30 percent of 2,000 requests, within what chance allows once in a million', async t => {
  const backends = await startBackends(t, 2)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('stable', backends[0].port)])
  await stage.registerVm('vm-2', [vmService('canary', backends[1].port)])
  await stage.manifests('split', [
    mappingObject('stable', { prefix: '/s/', service: 'stable' }),
    mappingObject('canary', { prefix: '/s/', service: 'canary', weight: 30 }),
  ])
  await stage.answers('/s/', answer => answer.body.includes('backend-2'))
  await stage.answers('/s/', answer => answer.body.includes('backend-1'))
  const count = 2000
  let canary = 0
  let failed = 0
  for (let done = 0; done < count; done += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(stage, '/s/')))
    canary += answers.filter(answer => answer.instance === 'backend-2').length
    failed += answers.filter(answer => answer.status !== 200).length
  }
  t.equal(failed, 0)
  // Binomial, p = 0.3: one in a million is 4.9 standard deviations.
  const allowed = 4.9 * Math.sqrt(count * 0.3 * 0.7)
  t.ok(Math.abs(canary - count * 0.3) <= allowed, `${canary} of ${count} went to the canary`)
})

t.test('ring_hash by header sends each value of the header to one instance', async t => {
  const backends = await startBackends(t, 3)
  const stage = await startStage(t)
  for (const { instance, port } of backends) await stage.registerVm(instance, [vmService('web', port)])
  await stage.manifests('web', [
    mappingObject('sticky', { prefix: '/sticky/', service: 'web', load_balancer: { policy: 'ring_hash', header: 'x-user' } }),
  ])
  for (const { instance } of backends) await stage.answers('/sticky/', answer => answer.body.includes(instance))
  const users = Array.from({ length: 30 }, (_, index) => `user-${index}`)
  const instances = new Set<string>()
  for (const user of users) {
    const ofUser = new Set<string>()
    for (let sent = 0; sent < 5; sent++) ofUser.add((await ask(stage, '/sticky/', { headers: { 'x-user': user } })).instance)
    t.equal(ofUser.size, 1, user)
    for (const instance of ofUser) instances.add(instance)
  }
  t.equal(instances.size, 3, 'and the values are spread over all')
})

t.test('resolvers: Consul alone, or all registries together, under one service name (interface.md, "What service: means")', async t => {
  const backends = await startBackends(t, 2)
  const consul = await startConsul()
  t.teardown(() => consul.stop())
  const stage = await startStage(t, {
    sources: [
      { name: 'dc1', type: 'consul', address: consul.url },
      { name: 'vms', type: 'vm' },
    ],
  })
  await consul.register({ name: 'web', address: '127.0.0.1', port: backends[0].port })
  await stage.registerVm('vm-1', [vmService('web', backends[1].port)])
  const spec = { address: consul.url, datacenter: 'dc1' }
  await stage.manifests('web', [
    { apiVersion: 'getambassador.io/v3alpha1', kind: 'ConsulResolver', metadata: { name: 'consul-dc1' }, spec },
    mappingObject('all', { prefix: '/all/', service: 'web' }),
    mappingObject('hybrid', { prefix: '/hybrid/', service: 'web', resolver: 'hybrid' }),
    mappingObject('consul', { prefix: '/consul/', service: 'web', resolver: 'consul-dc1' }),
    mappingObject('kubernetes', { prefix: '/kubernetes/', service: 'web', resolver: 'kubernetes-endpoint' }),
  ])
  for (const path of ['/all/', '/hybrid/']) {
    for (const { instance } of backends) await stage.answers(path, answer => answer.body.includes(instance))
  }
  await stage.answers('/consul/', answer => answer.body.includes('backend-1'))
  for (let sent = 0; sent < 10; sent++) t.equal((await ask(stage, '/consul/')).instance, 'backend-1', 'never the VM')
  t.equal((await ask(stage, '/kubernetes/')).status, 503, 'no Kubernetes source knows it')
})
