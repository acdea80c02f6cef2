import t from 'tap'
import { startConsul } from '../tools/consul-agent.ts'
import { startBackends } from '../tools/http-backend.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

interface Listed {
  readonly items: readonly {
    readonly port: number
    readonly health: string
    readonly presence: string
    readonly reasons: readonly { code: string }[]
  }[]
}

t.test('one service, two registries: Consul and a VM agent answer under one name', async t => {
  const backends = await startBackends(t, 2)
  const consul = await startConsul()
  t.teardown(() => consul.stop())
  const stage = await startStage(t, {
    sources: [
      { name: 'dc1', type: 'consul', address: consul.url },
      { name: 'vms', type: 'vm' },
    ],
  })
  const [one, two] = backends
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await consul.register({ name: 'web', id: 'web-1', address: '127.0.0.1', port: one.port, ttl: '1h' })
  await stage.registerVm('vm-1', [vmService('web', two.port)])
  await stage.answers('/web/', answer => answer.body.includes('backend-1'))
  await stage.answers('/web/', answer => answer.body.includes('backend-2'))

  const endpoint = async (): Promise<Listed['items'][number] | undefined> =>
    (await stage.api<Listed>('/api/v1/services/default/web/endpoints')).items.find(item => item.port === one.port)
  await consul.setCheck('web-1', 'critical')
  await eventually('critical is unhealthy', async () => (await endpoint())?.health === 'unhealthy')
  await consul.setCheck('web-1', 'passing')
  await eventually('passing is healthy', async () => (await endpoint())?.health === 'healthy')
  await consul.deregister('web-1')
  await eventually('a deregistered instance is gone', async () => (await endpoint()) === undefined)
})
