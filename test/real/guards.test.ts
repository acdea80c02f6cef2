import t, { type Test } from 'tap'
import { type ConsulAgent, startConsul } from '../tools/consul-agent.ts'
import { startBackends } from '../tools/http-backend.ts'
import { startLoad } from '../tools/load.ts'
import { startMeddlingProxy } from '../tools/meddling-proxy.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, type Stage, startStage } from './stage.ts'

interface Source {
  readonly name: string
  readonly state: string
  readonly endpoints: number
  readonly held: number
  readonly holds: readonly { readonly service: string; readonly rule: string }[]
  readonly notices: readonly string[]
}

interface Endpoints {
  readonly items: readonly { readonly presence: string; readonly reasons: readonly { readonly code: string }[] }[]
}

const sourceOf = async (stage: Stage, name = 'dc1'): Promise<Source | undefined> =>
  (await stage.api<{ items: readonly Source[] }>('/api/v1/sources')).items.find(one => one.name === name)
const endpointsOf = async (stage: Stage): Promise<Endpoints['items']> =>
  (await stage.api<Endpoints>('/api/v1/services/default/web/endpoints')).items
const release = (stage: Stage) => fetch(`${stage.adminUrl}/api/v1/sources/dc1/release-guard`, { method: 'POST' })

async function consulFor(t: Test, options: Parameters<typeof startConsul>[0] = {}): Promise<ConsulAgent> {
  const consul = await startConsul(options)
  t.teardown(() => consul.stop())
  return consul
}

const web = (index: number, port: number) => ({ name: 'web', id: `web-${String(index)}`, address: '127.0.0.1', port })
const mapping = mappingObject('web', { prefix: '/web/', service: 'web' })

t.test(
  'a Consul that lies by being empty is not believed: endpoints are held under load, and come back (discovery.md 2.2, 5.3)',
  async t => {
    const backends = await startBackends(t, 4)
    const consul = await consulFor(t)
    for (const [index, { port }] of backends.entries()) await consul.register(web(index, port))
    const proxy = await startMeddlingProxy(consul.url)
    t.teardown(() => proxy.stop())
    const stage = await startStage(t, { sources: [{ name: 'dc1', type: 'consul', address: proxy.url }] })
    await stage.manifests('web', [mapping])
    await stage.answers('/web/', answer => answer.status === 200)
    await eventually('all are known', async () => (await sourceOf(stage))?.endpoints === 4)
    const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 100, maxSeconds: 120 })

    proxy.meddle('empty')
    await eventually('all four are held', async () => (await sourceOf(stage))?.held === 4)
    t.match(await sourceOf(stage), { endpoints: 4, holds: [{ service: 'default/web', rule: 'empty' }] })
    t.ok((await endpointsOf(stage)).every(one => one.presence === 'suspect' && one.reasons.some(({ code }) => code === 'held-by-guard')))
    t.match(await (await fetch(`${stage.adminUrl}/metrics`)).text(), /isthmus_pools_held 4/)
    await stage.synced()
    proxy.meddle('none')
    await eventually('they are back', async () => (await endpointsOf(stage)).every(one => one.presence === 'live'))
    t.match(await sourceOf(stage), { endpoints: 4, held: 0 })

    for (const how of ['acl-filtered', 'index-reset'] as const) {
      proxy.meddle(how)
      const before = load.report().requests
      await eventually('a while goes by', () => load.report().requests > before + 200)
      t.match(await sourceOf(stage), { endpoints: 4 }, how)
      proxy.meddle('none')
      await eventually('they are back', async () => (await endpointsOf(stage)).every(one => one.presence === 'live'))
    }

    // All that is left can be let go by hand: the operator knows better.
    proxy.meddle('empty')
    await eventually('all four are held', async () => (await sourceOf(stage))?.held === 4)
    const report = await load.stop()
    t.same(report.failures, [])
    t.match(await (await release(stage)).json(), { name: 'dc1', released: 4 })
    await stage.answers('/web/', answer => answer.status === 503)
  },
)

t.test('whoever deregisters all instances is believed at once: no guard holds them (discovery.md 5.3)', async t => {
  const backends = await startBackends(t, 5)
  const consul = await consulFor(t)
  for (const [index, { port }] of backends.entries()) await consul.register(web(index, port))
  const stage = await startStage(t, { sources: [{ name: 'dc1', type: 'consul', address: consul.url }] })
  await stage.manifests('web', [mapping])
  await eventually('all are known', async () => (await sourceOf(stage))?.endpoints === 5)
  await stage.answers('/web/', answer => answer.status === 200)
  await Promise.all(backends.map((_, index) => consul.deregister(`web-${String(index)}`)))
  // The guard would hold them for 30 s.
  await eventually('they are gone', async () => (await sourceOf(stage))?.endpoints === 0, 10_000)
  await stage.answers('/web/', answer => answer.status === 503)
})

t.test(
  'with all sources down the gateway starts from what it knew, and an Envoy that has nothing is served (discovery.md 5.7, 5.8)',
  async t => {
    const [one, two] = await startBackends(t, 2)
    const consul = await consulFor(t)
    await consul.register(web(1, one.port))
    await consul.register(web(2, two.port))
    const stage = await startStage(t, {
      sources: [
        { name: 'dc1', type: 'consul', address: consul.url },
        { name: 'never', type: 'consul', address: 'http://127.0.0.1:1' },
      ],
      settings: { state: { path: './state' }, startup: { gateSeconds: 2, knownSeconds: 0.5 } },
      ownProcess: true,
    })
    await stage.manifests('web', [mapping])
    await stage.answers('/web/', answer => answer.body.includes('backend-2'))
    await stage.stopGateway()
    await consul.kill()
    await stage.startGateway()
    await stage.freshEnvoy()
    const seen = await stage.answers('/web/', answer => answer.body.includes('backend-1'))
    t.notOk(seen.includes(503), 'it was never told that there is nothing')
    await stage.answers('/web/', answer => answer.body.includes('backend-2'))
    const source = await sourceOf(stage)
    t.match(source, { state: 'syncing', endpoints: 2 })
    t.ok((await endpointsOf(stage)).every(({ presence, reasons }) => presence === 'suspect' && reasons[0]?.code === 'last-known-good'))
    // Consul's dev agent comes back empty: what it lost is held, what registers again is live.
    await consul.restart()
    await consul.register(web(1, one.port))
    await eventually('one is confirmed', async () => (await endpointsOf(stage)).some(({ presence }) => presence === 'live'))
  },
)
