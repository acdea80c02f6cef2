import t from 'tap'
import type { IrCluster, IrListener, IrRoute } from '../../../src/ir/route-table.ts'
import { IsthmusError } from '../../../src/model/errors.ts'
import { generateStructure } from '../../../src/xds/generate/structure.ts'
import { translate } from '../../../src/xds/generate/translate.ts'
import { dnsCluster, edsCluster, forward, listener, match, origin, staticCluster, tableOf } from './tables.ts'

type Json = Record<string, unknown>

function listenerJson(change: Partial<IrListener>): Json {
  return translate(tableOf([], [], [listener(change)]), () => undefined).listeners[0] as Json
}

function connectionManager(change: Partial<IrListener>): Json {
  const { filter_chains: chains } = listenerJson(change) as { filter_chains: { filters: { typed_config: Json }[] }[] }
  return chains[0]?.filters[0]?.typed_config ?? {}
}

function routeJson(route: IrRoute): Json {
  const { routes } = translate(tableOf([route], []), () => undefined) as unknown as { routes: { virtual_hosts: { routes: Json[] }[] }[] }
  return routes[0]?.virtual_hosts[0]?.routes[0] ?? {}
}

function clusterJson(cluster: IrCluster): Json {
  return translate(tableOf([], [cluster]), () => undefined).clusters[0] as Json
}

t.test('each resource requires what it names, so that order on the wire is data', async t => {
  const redirect: IrRoute = { match: match('/'), action: { kind: 'https-redirect' }, origins: [origin] }
  const routes = [forward('/b', 'b'), forward('/a', 'a'), forward('/c', 'b'), redirect]
  const resources = generateStructure(tableOf(routes, [edsCluster('a'), staticCluster('b', '10.0.0.1', 80)]))
  t.same(
    resources.map(({ type, name, requires }) => [type, name, requires.map(one => `${one.type} ${one.name}`)]),
    [
      ['cluster', 'a', ['endpoint a-endpoints']],
      ['cluster', 'b', []],
      ['route', 'http', ['cluster a', 'cluster b']],
      ['listener', 'http', ['route http']],
      ['runtime', 'isthmus', []],
    ],
  )
})

t.test('equal tables give equal versions, and only what differs gets another', async t => {
  const versions = (clusters: IrCluster[]) => generateStructure(tableOf([forward('/', 'a')], clusters)).map(one => one.version)
  const before = versions([edsCluster('a'), edsCluster('b')])
  t.same(versions([edsCluster('a'), edsCluster('b')]), before)
  const after = versions([edsCluster('a'), edsCluster('b', { connectTimeoutMs: 1 })])
  t.same(
    after.map((version, index) => version === before[index]),
    [true, false, true, true, true],
  )
})

t.test('a listener takes its routes by RDS over ADS, never inline', async t => {
  t.same(listenerJson({ name: 'l', address: '127.0.0.1', port: 80 })['address'], {
    socket_address: { address: '127.0.0.1', port_value: 80 },
  })
  t.same(listenerJson({ address: '::' })['address'], { socket_address: { address: '::', port_value: 8080, ipv4_compat: true } })
  const { '@type': type, ...manager } = connectionManager({
    statPrefix: 'ingress_web',
    chains: [{ name: 'cleartext', serverNames: [], serve: { kind: 'http', routeConfig: 'web' } }],
  })
  t.equal(type, 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager')
  t.same(manager, {
    stat_prefix: 'ingress_web',
    rds: { route_config_name: 'web', config_source: { ads: {}, resource_api_version: 'V3' } },
    http_filters: [
      {
        name: 'envoy.filters.http.cors',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors' },
      },
      {
        name: 'local rate limit',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
          stat_prefix: 'local_rate_limit',
        },
        disabled: true,
      },
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
    use_remote_address: true,
    normalize_path: true,
  })
  t.match(connectionManager({ trustedHops: 2 }), { xff_num_trusted_hops: 2 })
  t.same(connectionManager({ securityModel: 'SECURE' })['scheme_header_transformation'], { scheme_to_overwrite: 'https' })
  t.equal(connectionManager({ securityModel: 'XFP' })['scheme_header_transformation'], undefined)
})

t.test('a port in the Host header does not decide which virtual host is taken', async t => {
  t.match(translate(tableOf([], []), () => undefined).routes[0], { name: 'http', ignore_port_in_host_matching: true })
})

t.test('every form of match', async t => {
  const forms: [ReturnType<typeof match>, Json][] = [
    [match('/a'), { prefix: '/a' }],
    [match('=/a'), { path: '/a' }],
    [match('~/a/[0-9]+'), { safe_regex: { regex: '/a/[0-9]+' } }],
    [match('', { path: { kind: 'prefix', value: '/a', caseSensitive: false } }), { prefix: '/a', case_sensitive: false }],
    [match('', { path: { kind: 'regex', value: '/a', caseSensitive: false } }), { safe_regex: { regex: '(?i)/a' } }],
    [match('/', { percent: 30 }), { prefix: '/', runtime_fraction: { default_value: { numerator: 30 } } }],
    [match('/', { percent: 0, percentOf: 100 }), { prefix: '/', runtime_fraction: { default_value: {} } }],
    [
      match('/', { percent: 30, percentOf: 10_000 }),
      { prefix: '/', runtime_fraction: { default_value: { numerator: 3000, denominator: 'TEN_THOUSAND' } } },
    ],
    [
      match('/', { percent: 30, percentOf: 1_000_000 }),
      { prefix: '/', runtime_fraction: { default_value: { numerator: 300_000, denominator: 'MILLION' } } },
    ],
    [
      match('/', { headers: [{ name: ':method', kind: 'exact', value: 'GET' }] }),
      { prefix: '/', headers: [{ name: ':method', string_match: { exact: 'GET' } }] },
    ],
    [
      match('/', { headers: [{ name: 'x-a', kind: 'regex', value: 'a.*' }] }),
      { prefix: '/', headers: [{ name: 'x-a', string_match: { safe_regex: { regex: 'a.*' } } }] },
    ],
    [
      match('/', { headers: [{ name: 'x-a', kind: 'present', value: '', invert: true }] }),
      { prefix: '/', headers: [{ name: 'x-a', present_match: true, invert_match: true }] },
    ],
    [
      match('/', { headers: [{ name: 'x-a', kind: 'exact', value: 'b', invert: true }] }),
      { prefix: '/', headers: [{ name: 'x-a', string_match: { exact: 'b' }, invert_match: true, treat_missing_header_as_empty: true }] },
    ],
    [
      match('/', { query: [{ name: 'q', kind: 'exact', value: '1' }] }),
      { prefix: '/', query_parameters: [{ name: 'q', string_match: { exact: '1' } }] },
    ],
    [
      match('/', { query: [{ name: 'q', kind: 'regex', value: '[0-9]' }] }),
      { prefix: '/', query_parameters: [{ name: 'q', string_match: { safe_regex: { regex: '[0-9]' } } }] },
    ],
    [
      match('/', { query: [{ name: 'q', kind: 'present', value: '' }] }),
      { prefix: '/', query_parameters: [{ name: 'q', present_match: true }] },
    ],
    [
      match('/', { query: [{ name: 'q', kind: 'present', value: '', invert: true }] }),
      { prefix: '/', query_parameters: [{ name: 'q', present_match: false }] },
    ],
  ]
  for (const [given, expected] of forms) t.same(routeJson(forward(given, 'a'))['match'], expected)
  const impossible = match('/', { query: [{ name: 'q', kind: 'exact', value: '1', invert: true }] })
  t.throws(() => routeJson(forward(impossible, 'a')), IsthmusError)
})

t.test('every form of action', async t => {
  const action = (path: string, change: Parameters<typeof forward>[2]) => routeJson(forward(path, 'a', change))['route']
  t.same(action('/x', { timeoutMs: 3500 }), { cluster: 'a', timeout: '3.5s' })
  t.same(action('/x', { timeoutMs: 0 }), { cluster: 'a', timeout: '0s' }, 'no limit, where Envoy would take 15 s')
  t.same(action('/x', { rewrite: '/y' }), { cluster: 'a', timeout: '3s', prefix_rewrite: '/y' })
  t.same(action('=/x', { rewrite: '/y' }), { cluster: 'a', timeout: '3s', prefix_rewrite: '/y' })
  t.same(action('~/x|/z', { rewrite: '/\\1' }), {
    cluster: 'a',
    timeout: '3s',
    regex_rewrite: { pattern: { regex: '^(?:/x|/z)$' }, substitution: '/\\\\1' },
  })
  const hashes = [
    [{ kind: 'header', name: 'x-user' }, { header: { header_name: 'x-user' } }],
    [{ kind: 'source-ip' }, { connection_properties: { source_ip: true } }],
    [{ kind: 'cookie', name: 'c', path: '/' }, { cookie: { name: 'c', path: '/' } }],
    [{ kind: 'cookie', name: 'c', path: '', ttlSeconds: 0 }, { cookie: { name: 'c', ttl: '0s' } }],
  ] as const
  for (const [hash, expected] of hashes) t.match(action('/x', { hash }), { hash_policy: [expected] })
  const redirect = routeJson({ match: match('/'), action: { kind: 'https-redirect' }, origins: [origin] })
  t.same(redirect['redirect'], { https_redirect: true })
  t.equal(redirect['name'], 'Mapping shop/web', 'a route says where it comes from')
})

t.test('clusters of every kind state what Envoy would guess otherwise (discovery.md 1.5)', async t => {
  const common = {
    connect_timeout: '3s',
    common_lb_config: { healthy_panic_threshold: {}, update_merge_window: '0s' },
    ignore_health_on_host_removal: true,
  }
  const inline = (name: string, address: string, port: number) => ({
    cluster_name: name,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: port } } } }] }],
  })
  t.same(clusterJson(edsCluster('a', { statName: 'shop_a' })), {
    ...common,
    ...{ name: 'a', alt_stat_name: 'shop_a', type: 'EDS' },
    eds_cluster_config: {
      service_name: 'a-endpoints',
      eds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '5s' },
    },
  })
  t.same(clusterJson(dnsCluster('d', 'web.corp.example', 8080)), {
    ...common,
    ...{ name: 'd', alt_stat_name: 'd', type: 'STRICT_DNS', dns_lookup_family: 'V4_PREFERRED' },
    load_assignment: inline('d', 'web.corp.example', 8080),
  })
  t.same(clusterJson(staticCluster('s', 'fd00::1', 8080)), {
    ...common,
    ...{ name: 's', alt_stat_name: 's', type: 'STATIC', load_assignment: inline('s', 'fd00::1', 8080) },
  })
  for (const policy of ['least_request', 'ring_hash', 'maglev'] as const) {
    t.equal(clusterJson(edsCluster('a', { loadBalancing: policy }))['lb_policy'], policy.toUpperCase())
  }
})
