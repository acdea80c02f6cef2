import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { healthChecks, loadBalancer } from './mapping-upstream.ts'
import {
  ambassadorId,
  choice,
  circuitBreakers,
  closed,
  count,
  duration,
  filled,
  flag,
  inert,
  milliseconds,
  text,
  textMap,
  texts,
  upstreamTls,
} from './fields.ts'

const addedHeaders = () => Type.Record(Type.String(), Type.Object({ value: Type.Optional(text()), append: Type.Optional(flag()) }, closed))

/** One part of a descriptor (emissary-resources.md 11, "Labels"). */
export const labelSpecifier = Type.Object(
  {
    source_cluster: Type.Optional(Type.Object({ key: Type.Optional(text()) }, closed)),
    destination_cluster: Type.Optional(Type.Object({ key: Type.Optional(text()) }, closed)),
    remote_address: Type.Optional(Type.Object({ key: Type.Optional(text()) }, closed)),
    generic_key: Type.Optional(Type.Object({ key: Type.Optional(text()), value: filled() }, closed)),
    request_headers: Type.Optional(
      Type.Object({ key: filled(), header_name: filled(), omit_if_not_present: Type.Optional(flag()) }, closed),
    ),
  },
  closed,
)

const errorResponse = Type.Object(
  {
    on_status_code: Type.Integer({ minimum: 400, maximum: 599 }),
    body: Type.Object(
      {
        content_type: Type.Optional(text()),
        text_format: Type.Optional(text()),
        json_format: Type.Optional(textMap()),
        text_format_source: Type.Optional(Type.Object({ filename: filled() }, closed)),
      },
      closed,
    ),
  },
  closed,
)

/** Mapping, field by field as in emissary-resources.md 1.1 to 1.3. */
export const mappingSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),

    // 1.1 match
    prefix: Type.String({ minLength: 1, description: 'path prefix; exact path or RE2 with prefix_exact or prefix_regex' }),
    prefix_regex: Type.Optional(flag()),
    prefix_exact: Type.Optional(flag()),
    case_sensitive: Type.Optional(flag()),
    hostname: Type.Optional(filled()),
    host: Type.Optional(filled()),
    host_regex: Type.Optional(flag()),
    method: Type.Optional(filled()),
    method_regex: Type.Optional(flag()),
    headers: Type.Optional(textMap()),
    regex_headers: Type.Optional(textMap()),
    query_parameters: Type.Optional(textMap()),
    regex_query_parameters: Type.Optional(textMap()),
    precedence: Type.Optional(Type.Integer()),

    // 1.2 upstream
    service: Type.String({ minLength: 1, description: '[scheme://]name[.namespace][:port]' }),
    resolver: Type.Optional(filled()),
    load_balancer: Type.Optional(loadBalancer),
    tls: upstreamTls(),
    connect_timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 4_294_967_295 })),
    cluster_idle_timeout_ms: Type.Optional(milliseconds()),
    cluster_max_connection_lifetime_ms: Type.Optional(milliseconds()),
    circuit_breakers: Type.Optional(circuitBreakers()),
    health_checks: Type.Optional(healthChecks),
    outlier_detection: Type.Optional(text()),
    keepalive: Type.Optional(
      Type.Object({ probes: Type.Optional(count()), idle_time: Type.Optional(count()), interval: Type.Optional(count()) }, closed),
    ),
    grpc: Type.Optional(flag()),
    dns_type: Type.Optional(choice('strict_dns', 'logical_dns')),
    respect_dns_ttl: Type.Optional(flag()),
    enable_ipv4: Type.Optional(flag()),
    enable_ipv6: Type.Optional(flag()),
    cluster_tag: Type.Optional(filled()),
    stats_name: Type.Optional(filled()),

    // 1.3 action and filters
    weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'percent of the requests of its group' })),
    shadow: Type.Optional(flag()),
    rewrite: Type.Optional(text()),
    regex_rewrite: Type.Optional(Type.Object({ pattern: filled(), substitution: Type.Optional(text()) }, closed)),
    host_rewrite: Type.Optional(filled()),
    auto_host_rewrite: Type.Optional(flag()),
    host_redirect: Type.Optional(flag()),
    path_redirect: Type.Optional(text()),
    prefix_redirect: Type.Optional(text()),
    regex_redirect: Type.Optional(Type.Object({ pattern: filled(), substitution: Type.Optional(text()) }, closed)),
    redirect_response_code: Type.Optional(
      Type.Unsafe<301 | 302 | 303 | 307 | 308>(Type.Union([301, 302, 303, 307, 308].map(code => Type.Literal(code)))),
    ),
    timeout_ms: Type.Optional(milliseconds()),
    idle_timeout_ms: Type.Optional(milliseconds()),
    retry_policy: Type.Optional(
      Type.Object(
        {
          retry_on: Type.Optional(
            choice('5xx', 'gateway-error', 'connect-failure', 'retriable-4xx', 'refused-stream', 'retriable-status-codes'),
          ),
          num_retries: Type.Optional(count()),
          per_try_timeout: Type.Optional(duration()),
        },
        closed,
      ),
    ),
    allow_upgrade: Type.Optional(Type.Array(filled())),
    use_websocket: Type.Optional(flag()),
    add_request_headers: Type.Optional(addedHeaders()),
    add_response_headers: Type.Optional(addedHeaders()),
    remove_request_headers: Type.Optional(texts()),
    remove_response_headers: Type.Optional(texts()),
    add_linkerd_headers: Type.Optional(flag()),
    cors: Type.Optional(
      Type.Object(
        {
          origins: Type.Optional(texts()),
          methods: Type.Optional(texts()),
          headers: Type.Optional(texts()),
          credentials: Type.Optional(flag()),
          exposed_headers: Type.Optional(texts()),
          max_age: Type.Optional(text()),
        },
        closed,
      ),
    ),
    bypass_auth: Type.Optional(flag()),
    auth_context_extensions: Type.Optional(textMap()),
    labels: Type.Optional(Type.Record(Type.String(), Type.Array(Type.Record(Type.String(), Type.Array(labelSpecifier))))),
    priority: Type.Optional(choice('default', 'high')),
    error_response_overrides: Type.Optional(Type.Array(errorResponse, { minItems: 1 })),
    bypass_error_response_overrides: Type.Optional(flag()),
    docs: inert(
      Type.Object(
        {
          path: Type.Optional(text()),
          url: Type.Optional(text()),
          ignored: Type.Optional(flag()),
          display_name: Type.Optional(text()),
          timeout_ms: Type.Optional(milliseconds()),
        },
        closed,
      ),
      'there is no developer portal',
    ),
    envoy_override: inert(Type.Unknown(), 'Emissary ignores it, too'),
    modules: inert(Type.Array(Type.Unknown()), 'Emissary ignores it, too'),
  },
  closed,
)

export type MappingSpec = Static<typeof mappingSchema>
