import t from 'tap'
import { startBackends } from '../tools/http-backend.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

t.test('a VM registration is served by Envoy', async t => {
  const backends = await startBackends(t, 2)
  const stage = await startStage(t)
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.registerVm('vm-1', [vmService('web', backends[0].port)])
  await stage.answers('/web/', answer => answer.status === 200 && answer.body.includes('backend-1'))
  await stage.registerVm('vm-1', [vmService('web', backends[1].port)])
  await stage.answers('/web/', answer => answer.body.includes('backend-2'))
  t.match(await stage.api('/api/v1/proxies'), { items: [{ nodeId: 'edge-1', state: 'synced' }] })
})
