import t from 'tap'
import type { IrHttpOptions } from '../../../src/ir/http-options.ts'
import type { IrRoute } from '../../../src/ir/route-table.ts'
import { generateCluster } from '../../../src/xds/generate/cluster.ts'
import { decodeMessage } from '../../../src/xds/codec.ts'
import { translate } from '../../../src/xds/generate/translate.ts'
import { edsCluster, forward, tableOf } from './tables.ts'

type Json = Record<string, unknown>
interface Filter {
  readonly name: string
  readonly typed_config: Json
}

/** The listener of these options, and its connection manager, decoded from the bytes that would be sent. */
function decoded(options: IrHttpOptions) {
  const table = tableOf([], [])
  const [listener] = translate({ ...table, http: { ...table.http, options } }, () => undefined).listeners as (Json & {
    filter_chains: { filters: Filter[] }[]
  })[]
  const manager = (listener?.filter_chains[0]?.filters[0]?.typed_config ?? {}) as Json & { http_filters: Filter[]; access_log?: Filter[] }
  return { listener, manager, filters: manager.http_filters }
}

const filterType = 'type.googleapis.com/envoy.extensions.filters.http'

t.test('connection manager options, each in its field', t => {
  const plain = decoded({}).manager
  const table: readonly (readonly [IrHttpOptions, Json])[] = [
    [{ useRemoteAddress: false }, { use_remote_address: false }],
    [{ serverName: 'edge' }, { server_name: 'edge' }],
    [{ idleTimeoutMs: 1500 }, { common_http_protocol_options: { idle_timeout: '1.5s' } }],
    [{ idleTimeoutMs: 0 }, { common_http_protocol_options: { idle_timeout: '0s' } }],
    [{ underscores: 'DROP_HEADER' }, { common_http_protocol_options: { headers_with_underscores_action: 'DROP_HEADER' } }],
    [{ maxRequestHeadersKb: 96 }, { max_request_headers_kb: 96 }],
    [{ mergeSlashes: true }, { merge_slashes: true }],
    [{ rejectEscapedSlashes: true }, { path_with_escaped_slashes_action: 'REJECT_REQUEST' }],
    [{ stripPort: true }, { strip_matching_host_port: true }],
    [{ preserveRequestId: true }, { preserve_external_request_id: true }],
    [{ continueByUpstream: true }, { proxy_100_continue: true }],
    [{ http10: true }, { http_protocol_options: { accept_http_10: true } }],
    [{ chunkedLength: true }, { http_protocol_options: { allow_chunked_length: true } }],
    [{ headerCase: 'proper' }, { http_protocol_options: { header_key_format: { proper_case_words: {} } } }],
    [
      { headerCase: 'preserved' },
      {
        http_protocol_options: {
          header_key_format: {
            stateful_formatter: {
              name: 'preserve_case',
              typed_config: {
                '@type': 'type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig',
              },
            },
          },
        },
      },
    ],
    [
      { clientCertificate: { forward: 'APPEND_FORWARD', tell: ['subject', 'cert', 'chain', 'dns', 'uri'] } },
      {
        forward_client_cert_details: 'APPEND_FORWARD',
        set_current_client_cert_details: { subject: true, cert: true, chain: true, dns: true, uri: true },
      },
    ],
  ]
  for (const [options, fields] of table) t.same(decoded(options).manager, { ...plain, ...fields }, JSON.stringify(options))
  t.equal(decoded({ bufferLimitBytes: 4096 }).listener?.['per_connection_buffer_limit_bytes'], 4096)
  t.same(decoded({ suppressEnvoyHeaders: true }).filters.at(-1)?.typed_config, {
    '@type': `${filterType}.router.v3.Router`,
    suppress_envoy_headers: true,
  })
  t.end()
})

t.test('filters stand in the order of emissary-resources.md 6', t => {
  const { filters } = decoded({
    ...{ grpcHttp1Bridge: true, grpcWeb: true, grpcStats: { methods: 'all', upstream: false }, lua: 'x = 1' },
    compressors: [
      { kind: 'brotli', contentTypes: [], notWithEtag: false, hideAcceptEncoding: false },
      { kind: 'gzip', contentTypes: [], notWithEtag: false, hideAcceptEncoding: false },
    ],
    ...{ maxRequestBytes: 9, addressRules: { action: 'allow', ranges: [] }, errors: [], errorsOfRoutes: true },
  })
  t.same(
    filters.map(({ name }) => name),
    [
      ...['envoy.filters.http.grpc_http1_bridge', 'envoy.filters.http.grpc_web', 'envoy.filters.http.grpc_stats', 'envoy.filters.http.lua'],
      ...['compressor brotli', 'compressor gzip', 'envoy.filters.http.buffer', 'envoy.filters.http.rbac'],
      ...['common errors', 'errors', 'envoy.filters.http.cors', 'local rate limit'],
      'envoy.filters.http.router',
    ],
  )
  t.end()
})

t.test('each filter, field by field', t => {
  const first = (options: IrHttpOptions) => decoded(options).filters[0]?.typed_config
  const table: readonly (readonly [IrHttpOptions, Json])[] = [
    [{ grpcHttp1Bridge: true }, { '@type': `${filterType}.grpc_http1_bridge.v3.Config` }],
    [{ grpcWeb: true }, { '@type': `${filterType}.grpc_web.v3.GrpcWeb` }],
    [
      { grpcStats: { methods: 'all', upstream: true } },
      { '@type': `${filterType}.grpc_stats.v3.FilterConfig`, stats_for_all_methods: true, enable_upstream_stats: true },
    ],
    [
      { grpcStats: { methods: [{ service: 'a.B', methods: ['C'] }], upstream: false } },
      {
        '@type': `${filterType}.grpc_stats.v3.FilterConfig`,
        individual_method_stats_allowlist: { services: [{ name: 'a.B', method_names: ['C'] }] },
      },
    ],
    [{ lua: 'x = 1' }, { '@type': `${filterType}.lua.v3.Lua`, default_source_code: { inline_string: 'x = 1' } }],
    [{ maxRequestBytes: 9 }, { '@type': `${filterType}.buffer.v3.Buffer`, max_request_bytes: 9 }],
    [
      {
        compressors: [
          {
            ...{ kind: 'gzip', memoryLevel: 3, level: 'BEST_SPEED', strategy: 'FILTERED', windowBits: 12 },
            ...{ minBytes: 7, contentTypes: ['a/b'], notWithEtag: true, hideAcceptEncoding: true },
          },
        ],
      },
      {
        '@type': `${filterType}.compressor.v3.Compressor`,
        response_direction_config: {
          common_config: { min_content_length: 7, content_type: ['a/b'] },
          disable_on_etag_header: true,
          remove_accept_encoding_header: true,
        },
        compressor_library: {
          name: 'gzip',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip',
            ...{ memory_level: 3, compression_level: 'BEST_SPEED', compression_strategy: 'FILTERED', window_bits: 12 },
          },
        },
        choose_first: true,
      },
    ],
    [
      { compressors: [{ kind: 'brotli', quality: 4, windowBits: 20, contentTypes: [], notWithEtag: false, hideAcceptEncoding: false }] },
      {
        '@type': `${filterType}.compressor.v3.Compressor`,
        response_direction_config: { common_config: {} },
        compressor_library: {
          name: 'brotli',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.compression.brotli.compressor.v3.Brotli',
            ...{ quality: 4, window_bits: 20 },
          },
        },
        choose_first: true,
      },
    ],
    [
      {
        addressRules: {
          action: 'deny',
          ranges: [
            { by: 'peer', address: '10.0.0.0', bits: 8 },
            { by: 'remote', address: 'fd00::', bits: 0 },
          ],
        },
      },
      {
        '@type': `${filterType}.rbac.v3.RBAC`,
        rules: {
          action: 'DENY',
          policies: {
            addresses: {
              permissions: [{ any: true }],
              principals: [
                { direct_remote_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } },
                { remote_ip: { address_prefix: 'fd00::', prefix_len: 0 } },
              ],
            },
          },
        },
      },
    ],
    [{ addressRules: { action: 'allow', ranges: [] } }, { '@type': `${filterType}.rbac.v3.RBAC`, rules: {} }],
  ]
  for (const [options, fields] of table) t.same(first(options), fields, JSON.stringify(options))
  t.end()
})

t.test('access logs: to a file or a stream, as text or JSON', t => {
  const log = (accessLog: NonNullable<IrHttpOptions['accessLog']>) => decoded({ accessLog }).manager.access_log?.[0]?.typed_config
  const loggers = 'type.googleapis.com/envoy.extensions.access_loggers'
  t.same(log({ to: { file: '/tmp/a' }, format: 'x\n' }), {
    '@type': `${loggers}.file.v3.FileAccessLog`,
    ...{ path: '/tmp/a', log_format: { text_format_source: { inline_string: 'x\n' } } },
  })
  t.same(log({ to: 'stdout', format: { code: '%RESPONSE_CODE%' } }), {
    '@type': `${loggers}.stream.v3.StdoutAccessLog`,
    log_format: { json_format: { code: '%RESPONSE_CODE%' } },
  })
  t.match(log({ to: 'stderr', format: 'x' }), { '@type': `${loggers}.stream.v3.StderrAccessLog` })
  t.end()
})

t.test('names of headers are written to HTTP/1 upstreams as to clients', t => {
  const cluster = { ...edsCluster('a'), options: { headerCase: 'proper' } as const }
  const json = decodeMessage('envoy.config.cluster.v3.Cluster', generateCluster(cluster).bytes) as { typedExtensionProtocolOptions: Json }
  t.match(Object.values(json.typedExtensionProtocolOptions)[0], {
    explicitHttpConfig: { httpProtocolOptions: { headerKeyFormat: { properCaseWords: {} } } },
  })
  t.end()
})

t.test('answers to errors, of all routes and of one; a limit of one Envoy', t => {
  const custom = (overrides: Json) => ({ '@type': `${filterType}.custom_response.v3.CustomResponse`, ...overrides })
  const policy = (format: Json, contentType: string) => ({
    '@type': 'type.googleapis.com/envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy',
    body_format: { ...format, content_type: contentType },
    response_headers_to_add: [{ header: { key: 'content-type', value: contentType }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
  })
  const matcher = (status: string, typedConfig: Json) => ({
    custom_response_matcher: {
      matcher_tree: {
        input: {
          name: 'status',
          typed_config: { '@type': 'type.googleapis.com/envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput' },
        },
        exact_match_map: { map: { [status]: { action: { name: `status ${status}`, typed_config: typedConfig } } } },
      },
    },
  })
  const text = { status: 503, contentType: 'text/html', body: 'sorry %RESPONSE_CODE%' }
  const asText = matcher('503', policy({ text_format_source: { inline_string: 'sorry %RESPONSE_CODE%' } }, 'text/html'))
  t.same(decoded({ errors: [text] }).filters[0], { name: 'common errors', typed_config: custom(asText) })
  t.same(decoded({ errorsOfRoutes: true }).filters[0], { name: 'errors', typed_config: custom({}), disabled: true })

  const fields = { status: 404, contentType: 'application/json', body: { code: '%RESPONSE_CODE%' } }
  const limit = { requests: 3, intervalMs: 1500, burst: 9, status: 429, perConnection: true }
  const route: IrRoute = {
    ...forward('/', 'a'),
    filters: [
      { filter: 'errors', kind: 'errors', overrides: [fields] },
      { filter: 'common errors', kind: 'off' },
      { filter: 'local rate limit', kind: 'local-limit', limit },
    ],
  }
  const { routes } = translate(tableOf([route], []), () => undefined) as unknown as { routes: { virtual_hosts: { routes: Json[] }[] }[] }
  const all = { default_value: { numerator: 100 } }
  t.same(routes[0]?.virtual_hosts[0]?.routes[0]?.['typed_per_filter_config'], {
    errors: custom(matcher('404', policy({ json_format: { code: '%RESPONSE_CODE%' } }, 'application/json'))),
    'common errors': { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', disabled: true },
    'local rate limit': {
      '@type': `${filterType}.local_ratelimit.v3.LocalRateLimit`,
      ...{ stat_prefix: 'local_rate_limit', status: { code: 'TooManyRequests' } },
      token_bucket: { max_tokens: 9, tokens_per_fill: 3, fill_interval: '1.5s' },
      ...{ filter_enabled: all, filter_enforced: all, local_rate_limit_per_downstream_connection: true },
    },
  })
  t.end()
})

t.test('an answer of Envoy itself', t => {
  const route: IrRoute = { ...forward('/', 'a'), action: { kind: 'answer', status: 200, body: 'ok\n' } }
  const { routes } = translate(tableOf([route], []), () => undefined) as unknown as { routes: { virtual_hosts: { routes: Json[] }[] }[] }
  t.same(routes[0]?.virtual_hosts[0]?.routes[0], {
    ...{ name: 'Mapping shop/web', match: { prefix: '/' } },
    direct_response: { status: 200, body: { inline_string: 'ok\n' } },
  })
  t.end()
})
