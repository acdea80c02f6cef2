import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

/** Names of interface.md, "Metrics". */
const names = [
  'source_age_seconds{source="dc1"} 2',
  'source_state{source="dc1",state="live"} 1',
  'source_state{source="dc1",state="stale"} 0',
  'endpoints{source="dc1",health="healthy"} 1',
  'endpoints{source="dc1",health="draining"} 1',
  'services 1',
  'pools_held 0',
  'change_duration_seconds_bucket{le="0.0001",stage="source_to_ack"} 0',
  'change_duration_seconds_bucket{le="10",stage="source_to_ack"} 1',
  'xds_streams 2',
  'xds_pushes_total{type="endpoint"} 1',
  'xds_acks_total 1',
  'xds_nacks_total 1',
  'xds_response_bytes_total 512',
  'xds_resources{type="cluster"} 3',
  'objects{kind="Mapping",state="accepted"} 1',
  'leases{state="up"} 1',
  'event_loop_delay_seconds{quantile="0.99"}',
  'build_info{version="1.2.3"',
]

t.test('every metric of interface.md is there under its name', async t => {
  const metrics = createMetrics({ version: '1.2.3' })
  t.teardown(() => metrics.close())
  const table = new EndpointTable(() => undefined)
  const endpoints = [
    makeEndpoint({ address: '10.0.0.1', port: 80, id: 'a' }),
    makeEndpoint({ address: '10.0.0.2', port: 80, id: 'b', health: 'draining' }),
  ]
  table.apply({ name: 'dc1', type: 'consul' }, [{ id: 'web', service: serviceKey('default', 'web'), endpoints }], 0)
  const status = {
    name: 'dc1',
    type: 'consul',
    state: 'live',
    lastSuccess: 0,
    ageSeconds: 2,
    error: undefined,
    notices: [],
    services: 1,
    endpoints: 2,
    held: 0,
    holds: [],
    restarts: 0,
  } as const
  metrics.observe({
    table,
    sources: { leftOut: () => [], statuses: () => [status], resync: () => false, releaseGuard: () => 0, allSynced: true },
    proxies: {
      proxies: () => [
        {
          nodeId: 'a',
          cluster: '',
          version: '',
          address: '',
          place: undefined,
          connectedAt: 0,
          disconnectedAt: undefined,
          streams: 2,
          types: [],
          state: 'synced',
        },
      ],
      proxy: () => undefined,
      resources: () => [],
      refusals: () => [],
    },
    objects: {
      statuses: () => [
        {
          ref: { kind: 'Mapping', namespace: 'a', name: 'b', at: '' },
          apiVersion: '',
          state: 'accepted',
          problems: [],
          notices: [],
          lastGood: false,
        },
      ],
    },
    leases: () => [{ agentId: 'a', leaseId: 'b', epoch: 1, state: 'up', services: [], ttlSeconds: 30, ageSeconds: 1, fenced: [] }],
    retirement: () => ({ waiting: 2, forced: 1 }),
    resources: () => [['cluster', 3]],
  })
  metrics.change('source_to_ack', 0.002)
  metrics.pushed('endpoint', 512)
  metrics.acked()
  metrics.nacked()
  const text = await metrics.registry.metrics()
  for (const name of names) t.ok(text.includes(`\nisthmus_${name}`), name)
  const again = await metrics.registry.metrics()
  t.ok(again.includes('isthmus_objects{kind="Mapping",state="accepted"} 1'), 'a second scrape counts anew')
})

t.test('two gateways in one process count apart', async t => {
  const [a, b] = [createMetrics({ version: '1' }), createMetrics({ version: '1' })]
  t.teardown(() => [a, b].forEach(metrics => metrics.close()))
  a.acked()
  t.ok((await b.registry.metrics()).includes('isthmus_xds_acks_total 0'))
})
