import { readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { type Load, startLoad } from '../tools/load.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

interface Objects {
  readonly items: readonly {
    readonly name: string
    readonly state: string
    readonly lastGood: boolean
    readonly at: string
    readonly problems: readonly { readonly path: string; readonly text: string; readonly at: string }[]
  }[]
  readonly problems?: readonly { readonly at: string; readonly text: string }[]
}

interface Sources {
  readonly items: readonly {
    readonly name: string
    readonly state: string
    readonly endpoints: number
    readonly notices: readonly string[]
    readonly error: { readonly code: string; readonly text: string } | null
  }[]
}

/** Requests go on throughout, and none of them may fail. */
async function served(stage: Stage): Promise<Load> {
  await stage.answers('/web/', answer => answer.status === 200)
  return startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 50 })
}

async function objectOf(stage: Stage, name: string): Promise<Objects['items'][number] | undefined> {
  return (await stage.api<Objects>('/api/v1/objects')).items.find(one => one.name === name)
}

async function sourceOf(stage: Stage, name: string): Promise<Sources['items'][number] | undefined> {
  return (await stage.api<Sources>('/api/v1/sources')).items.find(one => one.name === name)
}

t.test('manifests: what is malformed is named with its place; the rest, and the last good version, are served', async t => {
  const [one, two] = await startBackends(t, 2)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', one.port)])
  await stage.registerVm('vm-2', [vmService('other', two.port)])
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.manifests('edited', [mappingObject('edited', { prefix: '/edited/', service: 'web' })])
  await stage.answers('/edited/', answer => answer.body.includes(one.instance))
  const load = await served(stage)

  await stage.manifests('broken', 'apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nmetadata: { name: [\n')
  await eventually('no YAML is named with file and line', async () =>
    (await stage.api<Objects>('/api/v1/objects')).problems?.some(({ at }) => /broken\.yaml:\d+/.test(at)),
  )

  await stage.manifests('types', [
    mappingObject('number', { prefix: 17, service: 'web' }),
    mappingObject('unknown', { prefix: '/unknown/', service: 'web', rewritte: '/' }),
    mappingObject('neighbour', { prefix: '/neighbour/', service: 'other' }),
  ])
  await stage.answers('/neighbour/', answer => answer.body.includes(two.instance))
  t.match(await objectOf(stage, 'number'), { state: 'refused', problems: [{ path: 'spec.prefix', at: /types\.yaml:\d+/ }] })
  t.match(await objectOf(stage, 'unknown'), { state: 'refused', problems: [{ path: 'spec.rewritte', text: /rewrite/ }] })

  await stage.manifests('used-twice', [mappingObject('neighbour', { prefix: '/stolen/', service: 'web' })])
  await eventually('a second object of one name is refused or reported', async () => {
    const { items, problems = [] } = await stage.api<Objects>('/api/v1/objects')
    const texts = [...items.flatMap(item => item.problems), ...problems].map(({ at, text }) => `${at} ${text}`)
    return texts.some(text => text.includes('used-twice.yaml') && text.includes('types.yaml'))
  })
  await stage.answers('/neighbour/', answer => answer.body.includes(two.instance))

  await stage.manifests('edited', [mappingObject('edited', { prefix: '/edited/', service: 'other', timeout_ms: 'soon' })])
  await eventually('the edit is refused', async () => (await objectOf(stage, 'edited'))?.lastGood === true)
  t.match(await objectOf(stage, 'edited'), { state: 'refused', problems: [{ path: 'spec.timeout_ms' }] })
  await stage.answers('/edited/', answer => answer.body.includes(one.instance))
  await stage.manifests('edited', 'kind: [')
  await stage.manifests('web', [
    mappingObject('web', { prefix: '/web/', service: 'web' }),
    mappingObject('mark', { prefix: '/mark/', service: 'web' }),
  ])
  await stage.answers('/mark/', answer => answer.status === 200)
  await stage.answers('/edited/', answer => answer.body.includes(one.instance))
  await stage.manifests('edited', [mappingObject('edited', { prefix: '/edited/', service: 'other' })])
  await stage.answers('/edited/', answer => answer.body.includes(two.instance))
  await eventually('the mended object is accepted', async () => (await objectOf(stage, 'edited'))?.state === 'accepted')
  t.match(await objectOf(stage, 'edited'), { lastGood: false, problems: [] })
  t.same((await load.stop()).failures, [])
})

t.test('endpoints.yaml: an invalid edit keeps the last good content; a refused address is named, its neighbours are taken', async t => {
  const [one, two] = await startBackends(t, 2)
  const endpoints = (...lines: readonly string[]): string => `services:\n${lines.map(line => `  - ${line}\n`).join('')}`
  const web = (port: number): string => `{ name: web, endpoints: [{ address: 127.0.0.1, port: ${String(port)} }] }`
  const stage = await startStage(t, {
    sources: [
      { name: 'list', type: 'file', path: './endpoints.yaml' },
      { name: 'strict', type: 'file', path: './strict.yaml', addresses: { allow: [] } },
      { name: 'vms', type: 'vm', addresses: { allow: [] } },
    ],
    prepare: async folder => {
      await writeFile(join(folder, 'endpoints.yaml'), endpoints(web(one.port)))
      const list = '[{ address: 127.0.0.1, port: 80 }, { address: 169.254.1.1, port: 80 }, { address: 10.0.0.9, port: 80 }]'
      await writeFile(join(folder, 'strict.yaml'), endpoints(`{ name: far, endpoints: ${list} }`))
    },
  })
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  const load = await served(stage)

  for (const bad of ['services: [', endpoints('{ name: web, endpoints: [{ address: 127.0.0.1, port: 0 }] }'), endpoints(web(1), web(2))]) {
    await stage.file('endpoints.yaml', bad)
    await eventually('the edit is refused', async () => (await sourceOf(stage, 'list'))?.error?.code === 'endpoints-invalid')
    t.match(await sourceOf(stage, 'list'), { endpoints: 1, error: { text: /endpoints\.yaml:\d+/ } })
    await stage.file('endpoints.yaml', endpoints(web(one.port)))
    await eventually('the mended file is taken', async () => (await sourceOf(stage, 'list'))?.error === null)
  }
  await stage.file('endpoints.yaml', endpoints(web(two.port)))
  await stage.answers('/web/', answer => answer.body.includes(two.instance))

  const strict = await sourceOf(stage, 'strict')
  t.equal(strict?.endpoints, 1, 'the good address of the same service is taken')
  t.match(strict?.notices.join(), /127\.0\.0\.1 is loopback.*addresses\.allow/)
  t.match(strict?.notices.join(), /169\.254\.1\.1 is link-local|and 1 more/)
  await t.rejects(stage.registerVm('vm-1', [vmService('web', one.port)]), /422.*127\.0\.0\.1 is loopback.*addresses\.allow/)
  await t.rejects(stage.registerVm('vm-1', [vmService('web', one.port, { address: 'vm.example' })]), /422.*no IP address/)
  t.same((await load.stop()).failures, [])
})

t.test('agents and admin: bodies that are too large, malformed or outdated are refused with a code, and change nothing', async t => {
  const [one] = await startBackends(t, 2)
  const stage = await startStage(t)
  const { epoch } = await stage.registerVm('vm-1', [vmService('web', one.port)])
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  const load = await served(stage)
  const agent = `${stage.agentsUrl}/v1/registrations/vm-1`
  const send = async (method: string, url: string, body: string): Promise<object> => {
    const response = await fetch(url, { method, headers: { 'content-type': 'application/json' }, body })
    return { status: response.status, ...((await response.json()) as object) }
  }
  const many = JSON.stringify({ services: [vmService('big', 80, { meta: { text: 'x'.repeat(9 * 1024 * 1024) } })] })
  t.match(await send('PUT', agent, many), { status: 413, code: 'body-too-large' })
  const long = JSON.stringify({ services: [vmService('big', 80, { meta: { text: 'x'.repeat(1_200_000) } })] })
  t.match(await send('PUT', agent, long), { status: 422, errors: [{ pointer: /^\/services\/0\/meta/ }] })
  t.match(await send('POST', `${stage.adminUrl}/api/v1/sources/vms/resync`, JSON.stringify({ text: 'x'.repeat(1_200_000) })), {
    status: 413,
    code: 'body-too-large',
  })
  t.match(await send('PUT', agent, '{"services": ['), { status: 422, code: 'request-invalid' })
  t.match(await send('PUT', agent, JSON.stringify({ services: [vmService('web', 0)] })), {
    status: 422,
    errors: [{ pointer: '/services/0/ports/0/port' }],
  })
  t.match(await send('POST', `${agent}/renew`, JSON.stringify({ epoch: epoch - 1, sequence: 1 })), { status: 409, code: 'lease-epoch' })
  t.match(await send('POST', `${stage.agentsUrl}/v1/registrations/nobody/renew`, JSON.stringify({ epoch, sequence: 1 })), {
    status: 404,
    code: 'lease-unknown',
  })
  t.match(await stage.api('/api/v1/services?limit=many'), { status: 400, code: 'request-invalid' })
  t.match(await stage.api('/api/v1/service'), { status: 404, code: 'route-unknown' })
  t.match(await stage.api('/api/v1/agents'), { items: [{ agentId: 'vm-1', epoch, state: 'up', services: ['default/web'] }], total: 1 })
  t.same((await load.stop()).failures, [])
})

t.test('a truncated state database is moved aside and reported; the start goes on, and agents register anew', async t => {
  const [one] = await startBackends(t, 2)
  const stage = await startStage(t, {
    settings: { state: { path: './state' } },
  })
  const database = join(stage.folder, 'state', 'vms', 'leases.db')
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.registerVm('vm-1', [vmService('web', one.port)])
  await stage.answers('/web/', answer => answer.status === 200)
  await stage.stopGateway()
  await truncate(database, Math.floor((await stat(database)).size / 2))
  await stage.startGateway()
  t.match(await sourceOf(stage, 'vms'), { state: 'live', error: { code: 'state-damaged', text: /leases\.db was damaged .* moved to / } })
  const files = await readdir(join(stage.folder, 'state', 'vms'))
  t.ok(files.some(file => file.startsWith('leases.db.damaged-')))
  await stage.registerVm('vm-1', [vmService('web', one.port)])
  await stage.synced()
  await stage.answers('/web/', answer => answer.status === 200)
})
