import t from 'tap'
import { startConsul } from '../tools/consul-agent.ts'
import { startBackends, stopBackends } from '../tools/http-backend.ts'
import { startLoad } from '../tools/load.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, startStage } from './stage.ts'

interface Sources {
  readonly items: readonly { readonly state: string; readonly endpoints: number; readonly error: { readonly code: string } | null }[]
}

t.test('Consul is gone for 20 seconds under load: endpoints stay, no request fails, then everything converges', async t => {
  const backends = await startBackends(2)
  t.teardown(() => stopBackends(backends))
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
  // The outage itself is the event: the issue asks for 20 seconds of it.
  await new Promise(resolve => setTimeout(resolve, 20_000))
  t.match(await source(), { state: 'stale', endpoints: 1 })
  await consul.restart()
  await consul.register(instance(1))
  await eventually('a change after the outage arrives', async () => (await source())?.endpoints === 2, 60_000)
  await eventually('the source is live again', async () => (await source())?.state === 'live', 60_000)
  await stage.answers('/web/', answer => answer.body.includes('backend-2'))
  const report = await load.stop()
  t.same(report.failures, [])
  t.ok(report.requests > 1000)
})
