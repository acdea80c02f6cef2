import t from 'tap'
import { startBackends, stopBackends } from '../tools/http-backend.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

t.test('a VM registration is served by Envoy', async t => {
  const backends = await startBackends(2)
  t.teardown(() => stopBackends(backends))
  const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }] })
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.registerVm('vm-1', [vmService('web', backends[0]?.port ?? 0)])
  await stage.answers('/web/', answer => answer.status === 200 && answer.body.includes('backend-1'))
  await stage.registerVm('vm-1', [vmService('web', backends[1]?.port ?? 0)])
  await stage.answers('/web/', answer => answer.body.includes('backend-2'))
  t.match(await stage.api('/api/v1/proxies'), { items: [{ nodeId: 'edge-1', state: 'synced' }] })
})
