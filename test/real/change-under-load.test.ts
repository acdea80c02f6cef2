import t from 'tap'
import { startBackends, stopBackends } from '../tools/http-backend.ts'
import { startLoad } from '../tools/load.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

for (const protocol of ['delta', 'sotw'] as const) {
  t.test(`no request fails while routes, clusters and endpoints come, move and go (${protocol}; xds.md O2, O3)`, async t => {
    const backends = await startBackends(4)
    t.teardown(() => stopBackends(backends))
    const stage = await startStage(t, { sources: [{ name: 'vms', type: 'vm' }], protocol })
    const port = (i: number) => backends[i]?.port ?? 0
    await stage.registerVm('a', [vmService('a', port(0))])
    await stage.registerVm('b', [vmService('b', port(1))])
    await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'a' })])
    await stage.answers('/web/', answer => answer.body.includes('backend-1'))
    const load = startLoad({ url: stage.url + '/web/', requestsPerSecond: 200, maxSeconds: 60 })
    for (let round = 0; round < 15; round++) {
      await stage.manifests('web', [
        mappingObject('web', { prefix: '/web/', service: round % 2 === 0 ? 'b' : 'a' }),
        mappingObject(`x${String(round)}`, { prefix: `/x${String(round)}/`, service: `new-${String(round)}` }),
      ])
      await stage.answers('/web/', answer => answer.body.includes(round % 2 === 0 ? 'backend-2' : 'backend-1'))
    }
    for (let round = 0; round < 10; round++) {
      await stage.registerVm('a', [vmService('a', port(round % 2 === 0 ? 2 : 0))])
      await stage.registerVm('b', [vmService('b', port(round % 2 === 0 ? 3 : 1))])
      await stage.answers('/web/', answer => answer.body.includes(round % 2 === 0 ? 'backend-4' : 'backend-2'))
    }
    const report = await load.stop()
    t.same(report.failures, [])
    t.ok(report.requests > 100, 'there was load')
    t.match(await stage.api('/api/v1/proxies'), { items: [{ state: 'synced' }] })
  })
}
