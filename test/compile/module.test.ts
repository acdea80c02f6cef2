import t from 'tap'
import type { IrHttpOptions } from '../../src/ir/http-options.ts'
import { compiled, host, listener, mapping, object, Round } from './fixtures.ts'

const module = (config: string, place = 'ambassador') => object('Module', place, `{config: {${config}}}`)
const plain = mapping('m', 'hostname: "*", prefix: /, service: web')
const dc1 = { name: 'dc1', address: 'http://127.0.0.1:8500', datacenter: 'dc1', namespace: 'legacy' }

t.test('what the Module says of listeners (emissary-resources.md 6)', t => {
  const table: readonly (readonly [config: string, options: IrHttpOptions])[] = [
    ['use_remote_address: false', { useRemoteAddress: false }],
    ['use_remote_address: true', {}],
    ['server_name: edge', { serverName: 'edge' }],
    ['listener_idle_timeout_ms: 5000', { idleTimeoutMs: 5000 }],
    ['max_request_headers_kb: 96', { maxRequestHeadersKb: 96 }],
    ['headers_with_underscores_action: REJECT_REQUEST', { underscores: 'REJECT_REQUEST' }],
    ['merge_slashes: true', { mergeSlashes: true }],
    ['reject_requests_with_escaped_slashes: true', { rejectEscapedSlashes: true }],
    ['strip_matching_host_port: true', { stripPort: true }],
    ['preserve_external_request_id: true', { preserveRequestId: true }],
    ['proxy_100_continue: true', { continueByUpstream: true }],
    ['enable_http10: true', { http10: true }],
    ['allow_chunked_length: true', { chunkedLength: true }],
    ['proper_case: true', { headerCase: 'proper' }],
    ['header_case_overrides: [X-Foo]', { headerCase: 'preserved' }],
    [
      'forward_client_cert_details: SANITIZE_SET, set_current_client_cert_details: {subject: true, uri: true, dns: false}',
      { clientCertificate: { forward: 'SANITIZE_SET', tell: ['subject', 'uri'] } },
    ],
    ['buffer_limit_bytes: 65536', { bufferLimitBytes: 65_536 }],
    ['suppress_envoy_headers: true', { suppressEnvoyHeaders: true }],
    ['enable_grpc_http11_bridge: true', { grpcHttp1Bridge: true }],
    ['enable_grpc_web: true', { grpcWeb: true }],
    ['grpc_stats: {all_methods: true, upstream_stats: true}', { grpcStats: { methods: 'all', upstream: true } }],
    [
      'grpc_stats: {services: [{name: a.B, method_names: [C]}, {name: d.E}]}',
      {
        grpcStats: {
          methods: [
            { service: 'a.B', methods: ['C'] },
            { service: 'd.E', methods: [] },
          ],
          upstream: false,
        },
      },
    ],
    ['lua_scripts: "function envoy_on_request(h) end"', { lua: 'function envoy_on_request(h) end' }],
    ['buffer: {max_request_bytes: 1000}', { maxRequestBytes: 1000 }],
    [
      'gzip: {memory_level: 2, compression_level: BEST, compression_strategy: HUFFMAN, window_bits: 10, min_content_length: 9, content_type: [text/x], disable_on_etag_header: true, remove_accept_encoding_header: true}',
      {
        compressors: [
          {
            ...{ kind: 'gzip', minBytes: 9, contentTypes: ['text/x'], notWithEtag: true, hideAcceptEncoding: true },
            ...{ memoryLevel: 2, level: 'BEST_COMPRESSION', strategy: 'HUFFMAN_ONLY', windowBits: 10 },
          },
        ],
      },
    ],
    [
      'gzip: {}, brotli: {quality: 5, window_bits: 20}',
      {
        compressors: [
          { kind: 'brotli', contentTypes: [], notWithEtag: false, hideAcceptEncoding: false, quality: 5, windowBits: 20 },
          { kind: 'gzip', contentTypes: [], notWithEtag: false, hideAcceptEncoding: false },
        ],
      },
    ],
    [
      'ip_allow: [{peer: 10.0.0.0/8}, {remote: "fd00::/8"}, {remote: 192.0.2.7}]',
      {
        addressRules: {
          action: 'allow',
          ranges: [
            { by: 'peer', address: '10.0.0.0', bits: 8 },
            { by: 'remote', address: 'fd00::', bits: 8 },
            { by: 'remote', address: '192.0.2.7', bits: 32 },
          ],
        },
      },
    ],
    ['ip_deny: [{peer: "::1"}]', { addressRules: { action: 'deny', ranges: [{ by: 'peer', address: '::1', bits: 128 }] } }],
    ['envoy_log_path: /dev/fd/2, envoy_log_format: "%PROTOCOL%"', { accessLog: { to: 'stderr', format: '%PROTOCOL%\n' } }],
    [
      'envoy_log_path: /tmp/a.log, envoy_log_type: json, envoy_log_format: {code: "%RESPONSE_CODE%"}',
      { accessLog: { to: { file: '/tmp/a.log' }, format: { code: '%RESPONSE_CODE%' } } },
    ],
    // A switch that is off is off: in Emissary its presence alone switches some of them on.
    ...['enable_grpc_web', 'enable_grpc_http11_bridge', 'merge_slashes', 'suppress_envoy_headers', 'proper_case'].map(
      key => [`${key}: false`, {}] as const,
    ),
  ]
  for (const [config, options] of table) {
    const round = new Round()
    const { table } = round.apply(listener, host, plain, module(config))
    t.equal(round.status('Module', 'ambassador'), 'accepted', config)
    t.strictSame(table.http.options, options, config)
  }
  t.match(compiled([listener, host, plain, module('envoy_log_type: text')]).table.http.options.accessLog, {
    to: 'stdout',
    format: /^ACCESS \[/,
  })
  t.match(compiled([listener, host, plain, module('envoy_log_type: typed_json')]).table.http.options.accessLog?.format, {
    method: '%REQ(:METHOD)%',
  })
  t.equal(compiled([listener, host, plain, module('xff_num_trusted_hops: 2')]).table.listeners[0]?.trustedHops, 2)
  const deep = listener.replace('protocol: HTTP', 'protocol: HTTP, l7Depth: 0')
  t.equal(compiled([deep, host, plain, module('xff_num_trusted_hops: 2')]).table.listeners[0]?.trustedHops, 0, 'the Listener’s own counts')
  t.end()
})

t.test('what the Module says of Mappings, and what a Mapping says itself counts more', t => {
  const of = (config: string, own = '') => {
    const { table } = compiled([listener, host, mapping('m', `hostname: "*", prefix: /, service: web${own}`), module(config)])
    return { cluster: table.clusters[0], route: table.routeConfigs[0]?.virtualHosts[0]?.routes[0] }
  }
  t.match(of('cluster_request_timeout_ms: 700').route, { action: { timeoutMs: 700 } })
  t.match(of('cluster_request_timeout_ms: 700', ', timeout_ms: 0').route, { action: { timeoutMs: 0 } })
  t.match(of('cluster_idle_timeout_ms: 7, cluster_max_connection_lifetime_ms: 8').cluster, {
    options: { idleTimeoutMs: 7, maxLifetimeMs: 8 },
  })
  t.match(of('circuit_breakers: [{max_connections: 3}]').cluster, { options: { circuitBreakers: [{ maxConnections: 3 }] } })
  t.match(of('keepalive: {time: 9, probes: 2}').cluster, { options: { keepalive: { idleSeconds: 9, probes: 2 } } })
  t.match(of('keepalive: {time: 9, idle_time: 8}').cluster, { options: { keepalive: { idleSeconds: 8 } } })
  t.match(of('load_balancer: {policy: least_request}').cluster, { loadBalancing: 'least_request' })
  t.match(of('load_balancer: {policy: least_request}', ', load_balancer: {policy: round_robin}').cluster, { loadBalancing: 'round_robin' })
  t.match(of('retry_policy: {retry_on: 5xx, num_retries: 4}').route, { action: { retry: { on: '5xx', retries: 4 } } })
  t.match(of('retry_policy: {retry_on: 5xx, num_retries: 4}', ', retry_policy: {retry_on: gateway-error}').route, {
    action: { retry: { on: 'gateway-error', retries: 1 } },
  })
  t.match(of('cors: {origins: ["https://a.example"]}').route, { cors: { origins: ['https://a.example'] } })
  t.match(of('add_linkerd_headers: true').route, { headers: { addRequest: [{ name: 'l5d-dst-override' }] } })
  t.equal(of('add_linkerd_headers: true', ', add_linkerd_headers: false').route?.headers, undefined)
  t.match(of('defaults: {httpmapping: {add_request_headers: {x-a: {value: b}}, remove_response_headers: [x-c]}}').route, {
    headers: { addRequest: [{ name: 'x-a', value: 'b' }], removeResponse: ['x-c'] },
  })
  t.match(of('defaults: {add_response_headers: {x-a: {value: b}}}').route, { headers: { addResponse: [{ name: 'x-a' }] } })
  t.match(of('defaults: {httpmapping: {stats_name: all-of-them}}').cluster, { statName: 'all_of_them' })
  t.match(of('proper_case: true').cluster, { options: { headerCase: 'proper' } })
  t.equal(of('proper_case: true', ', grpc: true').cluster?.options, undefined, 'HTTP/2 has no case')
  const dns = (config: string) => of(config, ', resolver: kubernetes-service').cluster
  t.match(dns('enable_ipv6: true'), { options: { dns: { family: 'both' } } })
  t.match(dns('enable_ipv4: false, enable_ipv6: true'), { options: { dns: { family: 'v6' } } })
  const round = new Round()
  round.apply(listener, host, plain, module('enable_ipv6: true'))
  t.same(round.notices('Mapping', 'm'), [], 'a default that does nothing for this Mapping is no fault of the Mapping')
  t.end()
})

t.test('the Module’s resolver and namespace are those of every service that names none', t => {
  const given = { consulSources: [dc1] }
  const cluster = (config: string, own = '', more: Parameters<typeof compiled>[1] = {}) =>
    compiled([listener, host, mapping('shop/m', `hostname: "*", prefix: /, service: web${own}`), module(config)], { ...given, ...more })
      .table.clusters[0]?.name
  t.equal(cluster('resolver: endpoint'), 'shop/web|kubernetes')
  t.equal(cluster('resolver: kubernetes-service'), 'dns:web.shop:80')
  t.equal(cluster('resolver: consul'), 'legacy/web|source:dc1')
  t.equal(cluster('resolver: consul', ', resolver: hybrid'), 'shop/web')
  t.equal(cluster('use_ambassador_namespace_for_service_resolution: true'), 'default/web')
  t.equal(
    cluster('use_ambassador_namespace_for_service_resolution: true', '', { environment: { AMBASSADOR_NAMESPACE: 'edge' } }),
    'edge/web',
  )
  t.equal(cluster('use_ambassador_namespace_for_service_resolution: false'), 'shop/web')

  const round = new Round(given)
  const auth = object('AuthService', 'a', '{auth_service: auth}')
  t.match(
    round.apply(listener, host, plain, module('resolver: consul'), auth).table.clusters.map(one => one.name),
    ['legacy/auth|source:dc1', 'legacy/web|source:dc1'],
    'services that listeners call, too',
  )
  const { table } = round.apply(listener, host, plain, module('resolver: nobody'), auth)
  t.match(round.status('Module', 'ambassador'), /^refused\+lastGood spec\.config\.resolver: there is no resolver "nobody"/)
  t.equal(round.status('Mapping', 'm'), 'accepted')
  t.equal(table.clusters[1]?.name, 'legacy/web|source:dc1', 'the last good Module goes on')
  const fresh = new Round(given)
  t.equal(fresh.apply(listener, host, plain, module('resolver: nobody')).table.clusters[0]?.name, 'default/web')
  t.equal(fresh.status('Mapping', 'm'), 'accepted', 'a Module that cannot be used takes no Mapping with it')
  t.end()
})

t.test('default labels stand before those of a Mapping; RateLimitServices have the Module’s domain', t => {
  const limits = object('RateLimitService', 'r', '{service: limits}')
  const config =
    'default_label_domain: edge, default_labels: {edge: {defaults: [{remote_address: {key: remote_address}}]}, nobody: {defaults: [{remote_address: {}}]}}'
  const of = (own: string) => {
    const round = new Round()
    const { table } = round.apply(listener, host, limits, module(config), mapping('m', `hostname: "*", prefix: /, service: web${own}`))
    t.match(round.notices('Module', 'ambassador'), [/default_labels\.nobody has no effect: there is no RateLimitService/])
    t.same(round.notices('Mapping', 'm'), [])
    t.equal(table.http.rateLimits[0]?.domain, 'edge')
    return table.routeConfigs[0]?.virtualHosts[0]?.routes[0]?.descriptors?.map(({ entries }) => entries.map(({ kind }) => kind))
  }
  t.same(of(''), [['remote_address']])
  t.same(of(', labels: {edge: [{a: [{generic_key: {value: x}}]}, {b: [{destination_cluster: {}}]}]}'), [
    ['remote_address', 'generic_key'],
    ['remote_address', 'destination_cluster'],
  ])
  t.end()
})

t.test('several Modules, other names, keys that nobody knows: each is named', t => {
  const round = new Round()
  const { table } = round.apply(
    listener,
    host,
    plain,
    module('server_name: a'),
    module('server_name: b', 'edge/ambassador'),
    module('', 'tls'),
  )
  t.equal(table.http.options.serverName, 'a')
  const status = (namespace: string, name: string) =>
    round.store.statuses().find(({ ref }) => ref.kind === 'Module' && ref.namespace === namespace && ref.name === name)
  t.match(status('default', 'ambassador'), { state: 'accepted' })
  t.match(status('edge', 'ambassador')?.problems, [{ text: /^Module default\/ambassador is there already; one Module counts/ }])
  t.match(status('default', 'tls'), { state: 'ignored', notices: [/named tls has no effect: the one that counts is named ambassador/] })

  const odd = new Round()
  odd.apply(listener, host, plain, module('server_nam: a, use_proxy_proto: true, defaults: {httpmapping: {timeout_ms: 3}, prefixes: 1}'))
  t.equal(odd.status('Module', 'ambassador'), 'accepted')
  t.match([...odd.notices('Module', 'ambassador')].sort(), [
    /^spec\.config\.defaults\.httpmapping\.timeout_ms is unknown and has no effect/,
    /^spec\.config\.defaults\.prefixes is unknown and has no effect/,
    /^spec\.config\.server_nam is unknown and has no effect; did you mean "server_name"\?/,
    /^spec\.config\.use_proxy_proto has no effect: write a Listener whose protocolStack has PROXY/,
  ])
  const { table: flagged } = odd.apply(
    module(
      'runtime_flags: {http.max_requests_per_io_cycle: 1, overload.x: 2, envoy.restart_features.send_goaway_for_premature_rst_streams: true}',
    ),
  )
  t.strictSame(flagged.http.options.runtime, { 'http.max_requests_per_io_cycle': 1 })
  t.match([...odd.notices('Module', 'ambassador')].sort(), [
    /runtime_flags\.envoy\.restart_features\.send_goaway_for_premature_rst_streams has no effect: Envoy has no such switch any more/,
    /runtime_flags\.overload\.x is unknown and has no effect/,
  ])
  t.end()
})

t.test('a Module that says who may come in, and cannot be used, lets nobody in until it once could', t => {
  const round = new Round()
  t.strictSame(round.apply(listener, host, plain, module('ip_deny: [{peer: 10.0.0.0/33}]')).table.http.options, {
    addressRules: { action: 'allow', ranges: [] },
  })
  t.match(round.status('Module', 'ambassador'), /^refused spec\.config\.ip_deny\[0\]\.peer: "10\.0\.0\.0\/33" is no IP network/)
  t.match(round.notices('Module', 'ambassador'), [/until it can be used nobody may, and every request is answered 403/])
  const good = { addressRules: { action: 'deny', ranges: [{ by: 'peer', address: '10.0.0.0', bits: 8 }] } }
  t.strictSame(round.apply(listener, host, plain, module('ip_deny: [{peer: 10.0.0.0/8}]')).table.http.options, good)
  t.strictSame(round.apply(listener, host, plain, module('ip_deny: [{peer: x}]')).table.http.options, good, 'the last good version')
  t.strictSame(round.apply(listener, host, plain, module('server_name: 3')).table.http.options, good, 'as long as it stands')
  t.strictSame(new Round().apply(listener, host, plain, module('server_name: 3')).table.http.options, {}, 'nothing was said of addresses')
  t.end()
})

t.test('defaults.tls_secret_namespacing is that of TLSContexts', t => {
  const secrets = (config: string, own = '') =>
    [
      ...compiled([
        listener.replace('HTTP', 'HTTPS'),
        host,
        plain,
        module(config),
        object('TLSContext', 'c', `{hosts: ["*"], secret: cert.other${own}}`),
        object('Host', 'h', '{hostname: h.example, tlsContext: {name: c}}'),
      ]).secrets,
    ].filter(name => name.includes('cert'))
  t.same(secrets(''), ['default/cert.other', 'other/cert'])
  t.same(secrets('defaults: {tls_secret_namespacing: false}'), ['default/cert.other'])
  t.same(secrets('defaults: {tls_secret_namespacing: false}', ', secret_namespacing: true'), ['default/cert.other', 'other/cert'])
  t.end()
})

t.test('probes and diagnostics are routes of the Module, when it asks for them', t => {
  const lines = (config: string) => {
    const round = new Round({ adminPort: 8878 })
    const { table } = round.apply(listener, host, plain, module(config))
    const routes = table.routeConfigs[0]?.virtualHosts[0]?.routes ?? []
    return routes.map(
      ({ match, action }) => `${match.path.value} ${action.kind === 'forward' ? `${action.cluster} ${action.rewrite ?? ''}` : action.kind}`,
    )
  }
  t.same(lines(''), ['/ default/web /'])
  t.same(lines('liveness_probe: {}, readiness_probe: {enabled: false}'), ['/ambassador/v0/check_alive answer', '/ default/web /'])
  t.same(lines('readiness_probe: {prefix: /ready, service: health, rewrite: /healthz}'), [
    '/ready default/health /healthz',
    '/ default/web /',
  ])
  t.same(lines('diagnostics: {enabled: true, allow_non_local: true}'), [
    '/ambassador/v0/ static:127.0.0.1:8878 /ambassador/v0/',
    '/ default/web /',
  ])
  t.same(lines('diagnostics: {enabled: true}'), ['/ default/web /'])
  const round = new Round()
  round.apply(listener, host, plain, module('diagnostics: {enabled: true}, liveness_probe: {service: "a:b:c"}'))
  t.match(round.status('Module', 'ambassador'), /^refused spec\.config\.liveness_probe: /)
  t.match(round.notices('Module', 'ambassador'), [])
  t.end()
})
