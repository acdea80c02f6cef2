import t from 'tap'
import { startEnvoy } from './envoy-process.ts'
import { startBackends } from './http-backend.ts'
import { startLoad } from './load.ts'
import { freePorts } from './local.ts'

const socket = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } })

function bootstrap(adminPort: number, listenPort: number, backendPorts: readonly number[]): string {
  const route = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'test',
    route_config: {
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'backends' } }] }],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } }],
  }
  const endpoints = backendPorts.map(port => ({ endpoint: { address: socket(port) } }))
  return JSON.stringify({
    admin: { address: socket(adminPort) },
    static_resources: {
      listeners: [{ name: 'http', address: socket(listenPort), filter_chains: [{ filters: [{ name: 'http', typed_config: route }] }] }],
      clusters: [
        { name: 'backends', type: 'STATIC', load_assignment: { cluster_name: 'backends', endpoints: [{ lb_endpoints: endpoints }] } },
      ],
    },
  })
}

t.test('Envoy carries load to backends; a failing backend shows in the report', async t => {
  const backends = await startBackends(t, 2)
  const [adminPort = 0, listenPort = 0] = await freePorts(2)
  const envoy = await startEnvoy({
    bootstrap: bootstrap(
      adminPort,
      listenPort,
      backends.map(({ port }) => port),
    ),
    adminPort,
  })
  t.teardown(() => envoy.stop())
  await envoy.untilReady()

  const url = `http://127.0.0.1:${listenPort}`
  const answer = await fetch(`${url}/a?b=c`, { headers: { 'x-test': 'yes' } })
  t.match(await answer.json(), { method: 'GET', path: '/a?b=c', headers: { 'x-test': 'yes' }, instance: /^backend-[12]$/ })

  const load = startLoad({ url: `${url}/load`, requestsPerSecond: 500 })
  await new Promise(resolve => setTimeout(resolve, 300))
  t.match(load.report(), { failed: 0, failures: [] })
  for (const backend of backends) backend.status = 503
  await new Promise(resolve => setTimeout(resolve, 100))
  const report = await load.stop()
  t.same([...report.instances.keys()].sort(), ['backend-1', 'backend-2'])
  t.ok(report.failed > 0 && report.failed < report.requests)
  t.match(report.failures[0], { path: '/load', status: 503, at: /^2/ })
  t.equal(
    backends.reduce((sum, backend) => sum + backend.requests, 0),
    report.requests + 1,
  )

  const { cluster_statuses: clusters = [] } = await envoy.clusters()
  t.equal(clusters.find(({ name }) => name === 'backends')?.host_statuses?.length, 2)
  t.ok(((await envoy.stats('^cluster.backends.upstream_rq_total$')).get('cluster.backends.upstream_rq_total') ?? 0) > 2)
  t.ok((await envoy.configDump()).configs.length > 3)
})

t.test('a bootstrap that Envoy refuses is reported with its output', async t => {
  await t.rejects(startEnvoy({ bootstrap: 'admin: { no_such_field: 1 }', adminPort: 1 }), /no_such_field/)
})
