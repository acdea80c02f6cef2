import t from 'tap'
import type { IrPool } from '../../../src/ir/pool.ts'
import type { IrCluster } from '../../../src/ir/route-table.ts'
import { decodeMessage } from '../../../src/xds/codec.ts'
import { generateCluster } from '../../../src/xds/generate/cluster.ts'
import { edsCluster } from './tables.ts'

const nothing: IrPool = { localityWeighted: false, panicThreshold: 0, slowStartSeconds: 0, healthChecks: [] }

function decoded(pool: Partial<IrPool>, change: Partial<Pick<IrCluster, 'loadBalancing'>> = {}): Record<string, unknown> {
  const cluster = { ...edsCluster('web', change), pool: { ...nothing, ...pool } } as IrCluster
  return decodeMessage('envoy.config.cluster.v3.Cluster', generateCluster(cluster).bytes)
}

t.test('what a ServicePool says about its clusters reaches Envoy as it was said', async t => {
  t.match(decoded({}), { commonLbConfig: { healthyPanicThreshold: {} } })
  t.equal(decoded({})['outlierDetection'], undefined)
  t.match(decoded({ localityWeighted: true, panicThreshold: 20 }), {
    commonLbConfig: { healthyPanicThreshold: { value: 20 }, localityWeightedLbConfig: {} },
  })
  t.match(decoded({ outlierDetection: { consecutive5xx: 3, baseEjectionSeconds: 20, maxEjectionPercent: 40 } })['outlierDetection'], {
    ...{ consecutive_5xx: 3, baseEjectionTime: '20s', maxEjectionPercent: 40, enforcingSuccessRate: 0 },
  })
  t.match(decoded({ slowStartSeconds: 9 }), { roundRobinLbConfig: { slowStartConfig: { slowStartWindow: '9s' } } })
  t.match(decoded({ slowStartSeconds: 9 }, { loadBalancing: 'least_request' }), { leastRequestLbConfig: { slowStartConfig: {} } })
  t.equal(decoded({ slowStartSeconds: 9 }, { loadBalancing: 'maglev' })['maglevLbConfig'], undefined, 'hashing has no slow start')
})

t.test('active health checks: http with both ends of a range included, and grpc', async t => {
  const times = { timeoutMs: 1500, intervalMs: 2000, unhealthyThreshold: 3, healthyThreshold: 2 }
  const http = {
    ...({ kind: 'http', path: '/ok', hostname: 'web', removeHeaders: ['x-a'] } as const),
    ...{ addHeaders: [{ name: 'x-b', value: '1', append: false }], statuses: [{ min: 200, max: 299 }] },
  }
  const checks = decoded({
    healthChecks: [
      { ...times, probe: http },
      { ...times, probe: { kind: 'grpc', service: 's', authority: 'a' } },
    ],
  })['healthChecks']
  t.match(checks, [
    {
      ...{ timeout: '1.5s', interval: '2s', unhealthyThreshold: 3, healthyThreshold: 2 },
      httpHealthCheck: {
        ...{ path: '/ok', host: 'web', requestHeadersToRemove: ['x-a'], expectedStatuses: [{ start: 200, end: 300 }] },
        requestHeadersToAdd: [{ header: { key: 'x-b', value: '1' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
      },
    },
    { grpcHealthCheck: { serviceName: 's', authority: 'a' } },
  ])
})
