import type { Static, TSchema } from 'typebox'
import { Type } from '../../model/type.ts'
import { ambassadorId, choice, closed, count, filled, flag, milliseconds, text, textMap, texts } from './fields.ts'
import { labelSpecifier, mappingSchema } from './mapping.ts'

const mapping = mappingSchema.properties

/** One of Emissary's own probes through Envoy (emissary-resources.md 6). */
const probe = () =>
  Type.Object(
    {
      enabled: Type.Optional(flag()),
      prefix: Type.Optional(Type.String({ pattern: '^/', description: 'a path that starts with /' })),
      rewrite: Type.Optional(text()),
      service: Type.Optional(filled()),
    },
    closed,
  )

const addressRule = Type.Object({ peer: Type.Optional(filled()), remote: Type.Optional(filled()) }, closed)

const compression = {
  min_content_length: Type.Optional(count()),
  content_type: Type.Optional(texts()),
  disable_on_etag_header: Type.Optional(flag()),
  remove_accept_encoding_header: Type.Optional(flag()),
}

const gzip = Type.Object(
  {
    memory_level: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })),
    compression_level: Type.Optional(
      choice(
        ...['DEFAULT', 'BEST', 'SPEED', 'DEFAULT_COMPRESSION', 'BEST_SPEED', 'BEST_COMPRESSION'],
        ...['COMPRESSION_LEVEL_1', 'COMPRESSION_LEVEL_2', 'COMPRESSION_LEVEL_3', 'COMPRESSION_LEVEL_4', 'COMPRESSION_LEVEL_5'],
        ...['COMPRESSION_LEVEL_6', 'COMPRESSION_LEVEL_7', 'COMPRESSION_LEVEL_8', 'COMPRESSION_LEVEL_9'],
      ),
    ),
    compression_strategy: Type.Optional(choice('DEFAULT', 'FILTERED', 'HUFFMAN', 'RLE', 'DEFAULT_STRATEGY', 'HUFFMAN_ONLY', 'FIXED')),
    window_bits: Type.Optional(Type.Integer({ minimum: 9, maximum: 15 })),
    ...compression,
  },
  closed,
)

/** Ours: Emissary has gzip only. */
const brotli = Type.Object(
  {
    quality: Type.Optional(Type.Integer({ minimum: 0, maximum: 11 })),
    window_bits: Type.Optional(Type.Integer({ minimum: 10, maximum: 24 })),
    ...compression,
  },
  closed,
)

/** What `defaults` may say of Mappings; other keys have no effect. */
const mappingDefaults = {
  add_request_headers: mapping.add_request_headers,
  add_response_headers: mapping.add_response_headers,
  remove_request_headers: mapping.remove_request_headers,
  remove_response_headers: mapping.remove_response_headers,
  stats_name: mapping.stats_name,
}

/** The keys of `spec.config` that do something (emissary-resources.md 6). Emissary's schema leaves the whole of it untyped. */
export const moduleConfigSchema = Type.Object(
  {
    // Defaults for Mappings.
    add_linkerd_headers: Type.Optional(flag()),
    circuit_breakers: mapping.circuit_breakers,
    cluster_idle_timeout_ms: Type.Optional(milliseconds()),
    cluster_max_connection_lifetime_ms: Type.Optional(milliseconds()),
    cluster_request_timeout_ms: Type.Optional(milliseconds()),
    cors: mapping.cors,
    default_label_domain: Type.Optional(filled()),
    default_labels: Type.Optional(Type.Record(Type.String(), Type.Object({ defaults: Type.Optional(Type.Array(labelSpecifier)) }, closed))),
    defaults: Type.Optional(
      Type.Object(
        {
          httpmapping: Type.Optional(Type.Object(mappingDefaults, { additionalProperties: true })),
          ...mappingDefaults,
          tls_secret_namespacing: Type.Optional(flag()),
        },
        { additionalProperties: true },
      ),
    ),
    enable_ipv4: Type.Optional(flag()),
    enable_ipv6: Type.Optional(flag()),
    keepalive: Type.Optional(
      Type.Object(
        {
          probes: Type.Optional(count()),
          idle_time: Type.Optional(count()),
          time: Type.Optional(count()),
          interval: Type.Optional(count()),
        },
        closed,
      ),
    ),
    load_balancer: mapping.load_balancer,
    resolver: mapping.resolver,
    retry_policy: mapping.retry_policy,
    use_ambassador_namespace_for_service_resolution: Type.Optional(flag()),

    // Connections and requests of every listener.
    allow_chunked_length: Type.Optional(flag()),
    buffer: Type.Optional(Type.Object({ max_request_bytes: Type.Integer({ minimum: 1, maximum: 4_294_967_295 }) }, closed)),
    buffer_limit_bytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 4_294_967_295 })),
    enable_http10: Type.Optional(flag()),
    forward_client_cert_details: Type.Optional(choice('SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY')),
    header_case_overrides: Type.Optional(Type.Array(filled())),
    headers_with_underscores_action: Type.Optional(choice('ALLOW', 'REJECT_REQUEST', 'DROP_HEADER')),
    listener_idle_timeout_ms: Type.Optional(milliseconds()),
    max_request_headers_kb: Type.Optional(Type.Integer({ minimum: 1, maximum: 8192 })),
    merge_slashes: Type.Optional(flag()),
    preserve_external_request_id: Type.Optional(flag()),
    proper_case: Type.Optional(flag()),
    proxy_100_continue: Type.Optional(flag()),
    reject_requests_with_escaped_slashes: Type.Optional(flag()),
    server_name: Type.Optional(filled()),
    set_current_client_cert_details: Type.Optional(
      Type.Object(
        {
          subject: Type.Optional(flag()),
          cert: Type.Optional(flag()),
          chain: Type.Optional(flag()),
          dns: Type.Optional(flag()),
          uri: Type.Optional(flag()),
        },
        closed,
      ),
    ),
    strip_matching_host_port: Type.Optional(flag()),
    suppress_envoy_headers: Type.Optional(flag()),
    use_remote_address: Type.Optional(flag()),
    xff_num_trusted_hops: Type.Optional(count()),

    // Filters of every listener.
    brotli: Type.Optional(brotli),
    enable_grpc_http11_bridge: Type.Optional(flag()),
    enable_grpc_web: Type.Optional(flag()),
    grpc_stats: Type.Optional(
      Type.Object(
        {
          all_methods: Type.Optional(flag()),
          services: Type.Optional(Type.Array(Type.Object({ name: filled(), method_names: Type.Optional(texts()) }, closed))),
          upstream_stats: Type.Optional(flag()),
        },
        closed,
      ),
    ),
    gzip: Type.Optional(gzip),
    ip_allow: Type.Optional(Type.Array(addressRule, { minItems: 1 })),
    ip_deny: Type.Optional(Type.Array(addressRule, { minItems: 1 })),
    lua_scripts: Type.Optional(filled()),

    // What is written down, and what Envoy answers itself.
    envoy_log_format: Type.Optional(Type.Union([Type.String(), textMap()])),
    envoy_log_path: Type.Optional(Type.String({ minLength: 1, description: 'a file on the machine of the Envoy' })),
    envoy_log_type: Type.Optional(choice('text', 'json', 'typed_json')),
    error_response_overrides: mapping.error_response_overrides,
    diagnostics: Type.Optional(Type.Object({ enabled: Type.Optional(flag()), allow_non_local: Type.Optional(flag()) }, closed)),
    liveness_probe: Type.Optional(probe()),
    readiness_probe: Type.Optional(probe()),
    runtime_flags: Type.Optional(
      Type.Object(
        {
          'http.max_requests_per_io_cycle': Type.Optional(Type.Integer({ minimum: 1, maximum: 4_294_967_295 })),
          'overload.premature_reset_min_stream_lifetime_seconds': Type.Optional(count()),
          'overload.premature_reset_total_stream_count': Type.Optional(count()),
        },
        { additionalProperties: true },
      ),
    ),
  } satisfies Record<string, TSchema>,
  { additionalProperties: true },
)

export const moduleSchema = Type.Object({ ambassador_id: ambassadorId(), config: Type.Optional(moduleConfigSchema) }, closed)

export type ModuleConfig = Static<typeof moduleConfigSchema>

/** Keys that change nothing, and what does instead (emissary-resources.md 6). */
export const inertModuleKeys: Readonly<Record<string, string>> = {
  admin_port: "Envoy's admin port is that of its bootstrap: settings envoy.adminPort, or isthmus bootstrap --admin-port",
  auth_enabled: 'an AuthService is asked as soon as there is one',
  debug_mode: 'set AES_LOG_LEVEL=debug',
  envoy_validation_timeout: 'every object is checked on its own, and what an Envoy refuses is shown by isthmus proxies',
  prune_unreachable_routes: 'routes that no request can reach are named in isthmus objects and isthmus routes',
  regex_max_size: 'expressions of up to 300 steps are taken, in every Envoy alike',
  regex_type: 'expressions are RE2, the only kind that Envoy has',
  service_port: 'ports are opened by Listeners',
  statsd: 'set STATSD_ENABLED and STATSD_HOST, or scrape /metrics of Envoy',
  use_proxy_proto: 'write a Listener whose protocolStack has PROXY',
  x_forwarded_proto_redirect: 'write requestPolicy.insecure.action: Redirect in the Host, and securityModel: XFP in the Listener',
}

/** Flags of Envoys that have them no more. */
export const inertRuntimeFlags: Readonly<Record<string, string>> = {
  'envoy.restart_features.send_goaway_for_premature_rst_streams': 'Envoy has no such switch any more',
}
