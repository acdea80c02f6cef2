import t from 'tap'
import { makeEndpoint } from '../../../src/model/endpoint.ts'
import type { Health, Presence } from '../../../src/model/health.ts'
import { held } from '../../../src/model/held.ts'
import { serviceKey } from '../../../src/model/service-key.ts'
import { EndpointTable } from '../../../src/table/endpoint-table.ts'
import { servedHealth } from '../../../src/xds/generate/served-health.ts'

t.test('what only we hold on to goes out as degraded, unless its cluster finds the dead ones out (discovery.md 1.5, 5.5)', t => {
  const rows: [Health, Presence | 'held', plain: Health, probed: Health][] = [
    ['healthy', 'live', 'healthy', 'healthy'],
    ['healthy', 'suspect', 'healthy', 'healthy'],
    ['healthy', 'expired', 'unhealthy', 'unhealthy'],
    ['healthy', 'held', 'degraded', 'healthy'],
    ['unknown', 'held', 'degraded', 'unknown'],
    ['unhealthy', 'held', 'unhealthy', 'unhealthy'],
    ['draining', 'held', 'draining', 'draining'],
  ]
  for (const [health, presence, plain, probed] of rows) {
    const endpoint = makeEndpoint({ address: '10.0.0.1', port: 80, id: 'a', health, ...(presence === 'held' ? {} : { presence }) })
    const service = serviceKey('shop', 'web')
    const table = new EndpointTable(() => undefined)
    const said = presence === 'held' ? held(endpoint, 'guard', 'gone') : endpoint
    table.apply({ name: 'dc1', type: 'consul' }, [{ id: 'web', service, endpoints: [said] }], 0)
    const [merged] = table.pool(service)?.endpoints ?? []
    if (merged === undefined) throw new Error('no endpoint')
    t.same([servedHealth(merged, false), servedHealth(merged, true)], [plain, probed], `${health}, ${presence}`)
  }
  t.end()
})
