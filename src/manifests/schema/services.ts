import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import {
  ambassadorId,
  choice,
  circuitBreakers,
  closed,
  count,
  filled,
  flag,
  inert,
  milliseconds,
  text,
  textMap,
  texts,
  upstreamTls,
} from './fields.ts'

/** The service kinds, field by field as in emissary-resources.md 7. */

const protocolVersion = () => Type.Optional(choice('v2', 'v3'))

export const authServiceSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    auth_service: Type.String({ minLength: 1, description: '[scheme://]name[.namespace][:port]' }),
    tls: upstreamTls(),
    stats_name: Type.Optional(filled()),
    circuit_breakers: Type.Optional(circuitBreakers()),
    protocol_version: protocolVersion(),
    proto: Type.Optional(choice('http', 'grpc')),
    timeout_ms: Type.Optional(milliseconds()),
    path_prefix: Type.Optional(text()),
    add_auth_headers: Type.Optional(textMap()),
    add_linkerd_headers: Type.Optional(flag()),
    allowed_request_headers: Type.Optional(texts()),
    allowed_authorization_headers: Type.Optional(texts()),
    include_body: Type.Optional(
      Type.Object({ max_bytes: Type.Integer({ minimum: 1, maximum: 4_294_967_295 }), allow_partial: flag() }, closed),
    ),
    allow_request_body: Type.Optional(flag()),
    status_on_error: Type.Optional(Type.Object({ code: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })) }, closed)),
    failure_mode_allow: Type.Optional(flag()),
  },
  closed,
)

export const rateLimitServiceSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    service: Type.String({ minLength: 1, description: '[scheme://]name[.namespace][:port]' }),
    tls: upstreamTls(),
    stats_name: Type.Optional(filled()),
    domain: Type.Optional(filled()),
    timeout_ms: Type.Optional(milliseconds()),
    protocol_version: protocolVersion(),
    failure_mode_deny: Type.Optional(flag()),
    grpc: Type.Optional(Type.Object({ use_resource_exhausted_code: Type.Optional(flag()) }, closed)),
  },
  closed,
)

export const logServiceSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    service: Type.String({ minLength: 1, description: '[scheme://]name[.namespace][:port]' }),
    tls: upstreamTls(),
    stats_name: Type.Optional(filled()),
    driver: choice('http', 'tcp'),
    driver_config: Type.Optional(
      Type.Object(
        {
          additional_log_headers: Type.Optional(
            Type.Array(
              Type.Object(
                {
                  header_name: filled(),
                  during_request: Type.Optional(flag()),
                  during_response: Type.Optional(flag()),
                  during_trailer: Type.Optional(flag()),
                },
                closed,
              ),
            ),
          ),
        },
        closed,
      ),
    ),
    flush_interval_time: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400, description: 'seconds' })),
    flush_interval_byte_size: Type.Optional(count()),
    grpc: Type.Optional(flag()),
    protocol_version: protocolVersion(),
  },
  closed,
)

const ofLightstep = 'it is of lightstep, which Envoy has no more'
const percent = () => Type.Optional(Type.Integer({ minimum: 0, maximum: 100 }))

export const tracingServiceSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    driver: choice('zipkin', 'datadog', 'opentelemetry', 'lightstep'),
    service: Type.String({ minLength: 1, description: '[scheme://]name[.namespace][:port]' }),
    tls: upstreamTls(),
    stats_name: Type.Optional(filled()),
    sampling: Type.Optional(Type.Object({ client: percent(), random: percent(), overall: percent() }, closed)),
    tag_headers: Type.Optional(texts()),
    custom_tags: Type.Optional(
      Type.Array(
        Type.Object(
          {
            tag: filled(),
            literal: Type.Optional(Type.Object({ value: filled() }, closed)),
            environment: Type.Optional(Type.Object({ name: filled(), default_value: Type.Optional(text()) }, closed)),
            request_header: Type.Optional(Type.Object({ name: filled(), default_value: Type.Optional(text()) }, closed)),
          },
          closed,
        ),
      ),
    ),
    config: Type.Optional(
      Type.Object(
        {
          access_token_file: inert(text(), ofLightstep),
          collector_cluster: inert(text(), 'the cluster is made of spec.service'),
          collector_endpoint: Type.Optional(filled()),
          collector_endpoint_version: Type.Optional(choice('HTTP_JSON', 'HTTP_PROTO', 'HTTP_JSON_V1')),
          collector_hostname: Type.Optional(filled()),
          propagation_modes: inert(texts(), ofLightstep),
          trace_id_128bit: Type.Optional(flag()),
          shared_span_context: Type.Optional(flag()),
          service_name: Type.Optional(filled()),
        },
        closed,
      ),
    ),
  },
  closed,
)

export type AuthServiceSpec = Static<typeof authServiceSchema>
export type RateLimitServiceSpec = Static<typeof rateLimitServiceSchema>
export type LogServiceSpec = Static<typeof logServiceSchema>
export type TracingServiceSpec = Static<typeof tracingServiceSchema>
