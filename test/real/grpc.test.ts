import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { pythonWithGrpc } from '../tools/python-grpc.ts'
import { type GrpcBackend, startGrpcBackend } from '../tools/grpc-backend.ts'
import { type Child, eventually, startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

async function backend(t: Test, name: string): Promise<GrpcBackend> {
  const started = await startGrpcBackend(name)
  t.teardown(() => started.stop())
  return started
}

/** Clients that are not ours: grpc-js, and gRPC's C core, which most other languages use. */
const kinds = {
  'grpc-js': async (): Promise<readonly string[]> => Promise.resolve([process.execPath, join(repository, 'test/tools/grpc-client.ts')]),
  'C core': async (): Promise<readonly string[]> => [await pythonWithGrpc(), join(repository, 'test/tools/grpc-client.py')],
}
const everyKind = ['grpc-js', 'C core'] as const

/** A client that calls `TARGET/METHOD` over and over. */
async function client(t: Test, stage: Stage, kind: keyof typeof kinds, ...calls: readonly string[]): Promise<Child> {
  const settings = parse(await readFile(join(stage.folder, 'isthmus.yaml'), 'utf8')) as { xds: { listen: string } }
  const bootstrap = {
    xds_servers: [{ server_uri: settings.xds.listen, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'grpc-1', locality: {} },
  }
  const env = { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) }
  const [program = '', ...script] = await kinds[kind]()
  const child = await startProcess(program, [...script, ...calls], { env })
  t.teardown(() => child.stop())
  return child
}

/** Names that an xDS client has of a type, as the gateway sees it. */
async function held(stage: Stage, node: string, type: string): Promise<readonly string[]> {
  const { items } = await stage.api<{ items: readonly { name: string; ackedVersion?: string }[] }>(
    `/api/v1/proxies/${node}/resources/${type}?limit=500`,
  )
  return items.filter(item => typeof item.ackedVersion === 'string').map(item => item.name)
}

async function clusters(stage: Stage, service: string): Promise<readonly string[]> {
  return (await stage.api<{ clusters: readonly string[] }>(`/api/v1/services/${service}`)).clusters
}

for (const kind of everyKind) {
  t.test(`a proxyless client (${kind}) dials pools and hostnames, and follows them (interface.md, xds.md 1.6)`, async t => {
    const [first, second, third] = [await backend(t, 'first'), await backend(t, 'second'), await backend(t, 'third')]
    const stage = await startStage(t)
    await stage.registerVm('vm-1', [vmService('web', first.port)])
    await stage.registerVm('vm-2', [vmService('api', third.port)])
    await stage.manifests('api', [
      mappingObject('api', { hostname: 'api.example', prefix: '/test.Echo/', service: 'web' }),
      mappingObject('slow', { hostname: 'api.example', prefix: '/test.Echo/Never', service: 'api', timeout_ms: 100 }),
    ])
    await eventually('the Mapping serves', async () => (await clusters(stage, 'default/web')).length > 0)
    t.same(await clusters(stage, 'default/web'), ['default/web'])

    const [pool, host, slow] = ['web.default/test.Echo/Who', 'api.example/test.Echo/Who', 'api.example/test.Echo/Never']
    const calls = await client(t, stage, kind, pool, host, slow, 'later.default/test.Echo/Who')
    await calls.untilPrinted(/^web\.default\S+ first$/m)
    await calls.untilPrinted(/^api\.example\S+Who first$/m)
    await calls.untilPrinted(/^api\.example\S+Never status 4$/m)
    t.same(await clusters(stage, 'default/web'), ['default/web', 'grpc|default/web'], 'the API knows what clients ask for')
    t.match(await stage.api('/api/v1/services/default/web/explain?address=127.0.0.1:' + String(first.port)), {
      delivery: [{ nodeId: 'edge-1' }, { nodeId: 'grpc-1' }],
    })

    await stage.registerVm('vm-1', [vmService('web', second.port)])
    await calls.untilPrinted(/^web\.default\S+ second$/m)
    await calls.untilPrinted(/^api\.example\S+Who second$/m)

    await stage.manifests('api', [mappingObject('api', { hostname: 'api.example', prefix: '/test.Echo/', service: 'api' })])
    await calls.untilPrinted(/^api\.example\S+Who third$/m)
    t.notMatch(calls.output(), /Who status/, 'no call failed on the way')

    await stage.registerVm('vm-3', [vmService('later', first.port)])
    await calls.untilPrinted(/^later\.default\S+ first$/m)

    await stage.synced()
    t.same(await held(stage, 'grpc-1', 'listener'), ['api.example', 'later.default', 'web.default'])
    t.same(await held(stage, 'edge-1', 'listener'), [`listener-${String(stage.port)}`], 'Envoys are not sent API listeners')
    t.same(await held(stage, 'edge-1', 'cluster'), ['default/api'], 'nor the clusters made for them')
    const dump = JSON.stringify(await stage.envoy.configDump())
    t.notMatch(dump, /grpc\|/)

    await calls.stop()
    await eventually('nothing is left of what nobody asks for', async () => (await clusters(stage, 'default/web')).length === 0)
  })
}

for (const kind of everyKind) {
  t.test(`calls go on while the gateway restarts (${kind}; xds.md L3, G3)`, async t => {
    const [first, second] = [await backend(t, 'first'), await backend(t, 'second')]
    const endpoints = (port: number) => `services: [{ name: web, endpoints: [{ address: 127.0.0.1, port: ${String(port)} }] }]`
    const stage = await startStage(t, {
      sources: [{ name: 'files', type: 'file', path: './endpoints.yaml' }],
      prepare: folder => writeFile(join(folder, 'endpoints.yaml'), endpoints(first.port)),
    })
    const calls = await client(t, stage, kind, 'web.default/test.Echo/Who')
    await calls.untilPrinted(/ first$/m)
    await stage.stopGateway()
    await stage.startGateway()
    await eventually('the client came back', async () => (await clusters(stage, 'default/web')).includes('grpc|default/web'))
    await stage.file('endpoints.yaml', endpoints(second.port))
    await calls.untilPrinted(/ second$/m)
    t.notMatch(calls.output(), /status/)
  })
}

for (const kind of everyKind) {
  t.test(`a proxyless client (${kind}) splits by weight, and fails over when the first member of a pool is ill`, async t => {
    const [first, second] = [await backend(t, 'first'), await backend(t, 'second')]
    const stage = await startStage(t)
    const register = (health: string) =>
      Promise.all([
        stage.registerVm('vm-1', [vmService('old', first.port), vmService('shaky', first.port, { health })]),
        stage.registerVm('vm-2', [vmService('new', second.port)]),
      ])
    await register('healthy')
    await stage.manifests('api', [
      mappingObject('old', { hostname: 'split.example', prefix: '/test.Echo/', service: 'old' }),
      mappingObject('new', { hostname: 'split.example', prefix: '/test.Echo/', service: 'new', weight: 30 }),
      {
        apiVersion: 'isthmus.dev/v1alpha1',
        kind: 'ServicePool',
        metadata: { name: 'both' },
        spec: {
          mode: 'failover',
          members: [
            { name: 'old', vm: { service: 'shaky' } },
            { name: 'new', vm: { service: 'new' } },
          ],
        },
      },
      mappingObject('both', { prefix: '/both/', service: 'both' }),
    ])
    const calls = await client(t, stage, kind, 'split.example/test.Echo/Who', 'both.default/test.Echo/Who')
    const answers = (target: string): readonly string[] => calls.output().match(new RegExp(`^${target}\\S+ \\w+.*$`, 'gm')) ?? []
    await eventually('500 calls', () => answers('split.example').length >= 500, 60_000)
    const split = answers('split.example').slice(0, 500)
    const share = split.filter(one => one.endsWith('second')).length
    t.ok(share > 90 && share < 210, `30 percent of 500, give or take six times what chance does: ${String(share)}`)
    t.same(new Set(answers('both.default').map(one => one.split(' ')[1])), new Set(['first']), 'the first member alone')
    await register('unhealthy')
    await calls.untilPrinted(/^both\.default\S+ second$/m)
    await register('healthy')
    await eventually('back to the first', () => answers('both.default').at(-1)?.endsWith('first') === true)
    t.same(calls.output().match(/^.* status .*$/gm), null, 'no call failed')
  })
}
