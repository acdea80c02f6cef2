import t from 'tap'
import { startConsul } from '../tools/consul-agent.ts'
import { startBackends } from '../tools/http-backend.ts'
import { startLoad } from '../tools/load.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, startStage } from './stage.ts'

interface Sources {
  readonly items: readonly { readonly state: string; readonly endpoints: number; readonly error: { readonly code: string } | null }[]
}

t.test('Consul is gone for 20 seconds under load: endpoints stay, no request fails, then everything converges', async t => {
  const backends = await startBackends(t, 2)
  const consul = await startConsul({ persistent: true })
  t.teardown(() => consul.stop())
  const instance = (index: number) => ({ name: 'web', id: `web-${String(index)}`, address: '127.0.0.1', port: backends[index]?.port ?? 0 })
  await consul.register(instance(0))
  const stage = await startStage(t, { sources: [{ name: 'dc1', type: 'consul', address: consul.url }] })
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.answers('/web/', answer => answer.body.includes('backend-1'))
  const source = async () => (await stage.api<Sources>('/api/v1/sources')).items[0]

  const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 100, maxSeconds: 90 })
  await consul.kill()
  await eventually('the source shows that it is stale', async () => (await source())?.state === 'stale')
  t.match(await source(), { endpoints: 1, error: { code: /consul/ } })
  await stage.manifests('more', [mappingObject('more', { prefix: '/more/', service: 'web' })])
  await stage.answers('/more/', answer => answer.status === 200)
  // The outage itself is the event: the issue asks for 20 seconds of it.
  await new Promise(resolve => setTimeout(resolve, 20_000))
  t.match(await source(), { state: 'stale', endpoints: 1 })
  await consul.restart()
  await consul.register(instance(1))
  await eventually('a change after the outage arrives', async () => (await source())?.endpoints === 2, 60_000)
  await eventually('the source is live again', async () => (await source())?.state === 'live', 60_000)
  await stage.answers('/web/', answer => answer.body.includes('backend-2'))
  await consul.deregister('web-1')
  await eventually('a deregistration arrives', async () => (await source())?.endpoints === 1)
  const report = await load.stop()
  t.same(report.failures, [])
  t.ok(report.requests > 1000)
})

for (const protocol of ['delta', 'sotw'] as const) {
  t.test(`the gateway is restarted while Envoy runs: no request fails, Envoy is in sync again (${protocol}; xds.md L7)`, async t => {
    const backends = await startBackends(t, 2)
    const consul = await startConsul()
    t.teardown(() => consul.stop())
    const register = (index: number) =>
      consul.register({ name: 'web', id: `web-${String(index)}`, address: '127.0.0.1', port: backends[index]?.port ?? 0 })
    await register(0)
    const stage = await startStage(t, { sources: [{ name: 'dc1', type: 'consul', address: consul.url }], ownProcess: true, protocol })
    await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
    await stage.answers('/web/', answer => answer.status === 200)
    const load = startLoad({ url: `${stage.url}/web/`, requestsPerSecond: 100, maxSeconds: 120 })
    for (const how of ['stop', 'kill'] as const) {
      await stage.stopGateway(how)
      const { requests } = load.report()
      await eventually('Envoy goes on alone', () => load.report().requests > requests + 30)
      // What happens meanwhile is there after the start.
      await (how === 'stop' ? register(1) : consul.deregister('web-0'))
      await stage.startGateway()
      await stage.answers('/web/', answer => answer.body.includes('backend-2'))
      await stage.synced()
    }
    await eventually('the instance that left is no longer connected', async () => (await backends[0].connections()) === 0)
    const report = await load.stop()
    t.same(report.failures, [])
  })
}
