import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { bootstrap } from '../../src/envoy/bootstrap.ts'
import { startEnvoy } from '../tools/envoy-process.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePort, freePorts } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { hostObject, listenerObject, mappingObject, startStage, vmService } from './stage.ts'

interface Types {
  readonly types: readonly { readonly type: string; readonly sent: number }[]
}

t.test('L9 one control plane serves two gateways, each its own listeners and routes', async t => {
  const backends = await startBackends(t, 1)
  const [edgePort = 0, corePort = 0] = await freePorts(2)
  const stage = await startStage(t, {
    settings: { ambassadorId: ['default', 'edge', 'core'] },
  })
  // It has the view of everything, and would take the ports of both.
  await stage.envoy.stop()
  const settings = parse(await readFile(join(stage.folder, 'isthmus.yaml'), 'utf8')) as { xds: { listen: string } }
  const xdsPort = Number(settings.xds.listen.split(':')[1])
  const of = (id: string, object: object): object => {
    const { spec, ...rest } = object as { spec: object; metadata: { name: string } }
    return { ...rest, metadata: { name: `${id}-${rest.metadata.name}` }, spec: { ...spec, ambassador_id: [id] } }
  }
  await stage.registerVm('vm-1', [vmService('web', backends[0].port)])
  const gateway = (id: string, port: number, prefix: string): readonly object[] => [
    of(id, listenerObject(port)),
    of(id, hostObject()),
    of(id, mappingObject('web', { prefix, service: 'web' })),
  ]
  await stage.manifests('edge', gateway('edge', edgePort, '/edge/'))
  await stage.manifests('core', gateway('core', corePort, '/core/'))
  for (const cluster of ['edge', 'core']) {
    const adminPort = await freePort()
    const text = bootstrap({ nodeId: `gw-${cluster}`, cluster, xds: { host: '127.0.0.1', port: xdsPort }, protocol: 'delta', adminPort })
    const envoy = await startEnvoy({ bootstrap: JSON.stringify(text), adminPort })
    t.teardown(() => envoy.stop())
  }
  const status = async (port: number, path: string) =>
    (await get(`http://127.0.0.1:${String(port)}${path}`).catch(() => ({ status: 0 }))).status
  await eventually('edge serves', async () => (await status(edgePort, '/edge/')) === 200)
  await eventually('core serves', async () => (await status(corePort, '/core/')) === 200)
  t.equal(await status(edgePort, '/core/'), 404)
  t.equal(await status(corePort, '/edge/'), 404)

  await eventually('both are in sync', async () => {
    const { items } = await stage.api<{ items: readonly { nodeId: string; state: string }[] }>('/api/v1/proxies')
    return items.filter(one => one.nodeId.startsWith('gw-') && one.state === 'synced').length === 2
  })
  const sent = async (node: string) =>
    Object.fromEntries((await stage.api<Types>(`/api/v1/proxies/${node}`)).types.map(one => [one.type, one.sent]))
  const before = await sent('gw-core')
  await stage.manifests('edge', [
    ...gateway('edge', edgePort, '/edge/'),
    of('edge', mappingObject('more', { prefix: '/more/', service: 'web' })),
  ])
  await eventually('the new route of one gateway', async () => (await status(edgePort, '/more/')) === 200)
  t.same(await sent('gw-core'), before, 'nothing was sent to the other')
})
