interface ProtoRoot {
  readonly file: string
  readonly messages: readonly string[]
}

/** Messages of an Envoy package, named by its folder under `envoy/` and its file there. */
function envoy(folder: string, file: string, ...messages: string[]): ProtoRoot {
  const protoPackage = `envoy.${folder.replaceAll('/', '.')}`
  return { file: `envoy/${folder}/${file}.proto`, messages: messages.map(name => `${protoPackage}.${name}`) }
}

/** The messages we encode or decode, by the file that defines them. What they refer to comes along. */
export const roots: readonly ProtoRoot[] = [
  // The protocol, and what an Envoy is told.
  envoy('service/discovery/v3', 'discovery', 'DiscoveryRequest', 'DiscoveryResponse', 'DeltaDiscoveryRequest', 'DeltaDiscoveryResponse'),
  envoy('service/status/v3', 'csds', 'ClientStatusRequest', 'ClientStatusResponse'),
  envoy('config/bootstrap/v3', 'bootstrap', 'Bootstrap'),
  envoy('config/cluster/v3', 'cluster', 'Cluster'),
  envoy('config/endpoint/v3', 'endpoint', 'ClusterLoadAssignment'),
  envoy('config/listener/v3', 'listener', 'Listener'),
  envoy('config/route/v3', 'route', 'RouteConfiguration'),
  envoy('config/route/v3', 'route_components', 'FilterConfig'),
  envoy('service/runtime/v3', 'rtds', 'Runtime'),
  envoy('extensions/transport_sockets/tls/v3', 'tls', 'UpstreamTlsContext', 'DownstreamTlsContext'),
  envoy('extensions/transport_sockets/tls/v3', 'secret', 'Secret'),
  envoy('extensions/transport_sockets/quic/v3', 'quic_transport', 'QuicDownstreamTransport'),
  envoy('extensions/transport_sockets/raw_buffer/v3', 'raw_buffer', 'RawBuffer'),
  envoy('extensions/transport_sockets/proxy_protocol/v3', 'upstream_proxy_protocol', 'ProxyProtocolUpstreamTransport'),
  envoy('extensions/upstreams/http/v3', 'http_protocol_options', 'HttpProtocolOptions'),
  // Listeners: filters of connections.
  envoy('extensions/filters/listener/tls_inspector/v3', 'tls_inspector', 'TlsInspector'),
  envoy('extensions/filters/listener/proxy_protocol/v3', 'proxy_protocol', 'ProxyProtocol'),
  envoy('extensions/filters/network/http_connection_manager/v3', 'http_connection_manager', 'HttpConnectionManager'),
  envoy('extensions/filters/network/tcp_proxy/v3', 'tcp_proxy', 'TcpProxy'),
  envoy('extensions/access_loggers/file/v3', 'file', 'FileAccessLog'),
  envoy('extensions/access_loggers/stream/v3', 'stream', 'StdoutAccessLog', 'StderrAccessLog'),
  envoy('extensions/access_loggers/grpc/v3', 'als', 'HttpGrpcAccessLogConfig', 'TcpGrpcAccessLogConfig'),
  // Collectors of traces.
  envoy('config/trace/v3', 'zipkin', 'ZipkinConfig'),
  envoy('config/trace/v3', 'datadog', 'DatadogConfig'),
  envoy('config/trace/v3', 'opentelemetry', 'OpenTelemetryConfig'),
  // Filters of HTTP requests, and what a route sets for them.
  envoy('extensions/filters/http/router/v3', 'router', 'Router'),
  envoy('extensions/filters/http/buffer/v3', 'buffer', 'Buffer', 'BufferPerRoute'),
  envoy('extensions/filters/http/compressor/v3', 'compressor', 'Compressor', 'CompressorPerRoute'),
  envoy('extensions/compression/gzip/compressor/v3', 'gzip', 'Gzip'),
  envoy('extensions/compression/brotli/compressor/v3', 'brotli', 'Brotli'),
  envoy('extensions/http/header_formatters/preserve_case/v3', 'preserve_case', 'PreserveCaseFormatterConfig'),
  envoy('extensions/filters/http/cors/v3', 'cors', 'Cors', 'CorsPolicy'),
  envoy('extensions/filters/http/custom_response/v3', 'custom_response', 'CustomResponse'),
  envoy('extensions/http/custom_response/local_response_policy/v3', 'local_response_policy', 'LocalResponsePolicy'),
  envoy('type/matcher/v3', 'status_code_input', 'HttpResponseStatusCodeMatchInput'),
  envoy('extensions/filters/http/ext_authz/v3', 'ext_authz', 'ExtAuthz', 'ExtAuthzPerRoute'),
  envoy('extensions/filters/http/fault/v3', 'fault', 'HTTPFault'),
  envoy('extensions/filters/http/grpc_http1_bridge/v3', 'config', 'Config'),
  envoy('extensions/filters/http/grpc_stats/v3', 'config', 'FilterConfig'),
  envoy('extensions/filters/http/grpc_web/v3', 'grpc_web', 'GrpcWeb'),
  envoy('extensions/filters/http/header_mutation/v3', 'header_mutation', 'HeaderMutation'),
  envoy('extensions/filters/http/health_check/v3', 'health_check', 'HealthCheck'),
  envoy('extensions/filters/http/local_ratelimit/v3', 'local_rate_limit', 'LocalRateLimit'),
  envoy('extensions/filters/http/lua/v3', 'lua', 'Lua', 'LuaPerRoute'),
  envoy('extensions/filters/http/ratelimit/v3', 'rate_limit', 'RateLimit', 'RateLimitPerRoute'),
  envoy('extensions/filters/http/rbac/v3', 'rbac', 'RBAC', 'RBACPerRoute'),
  // How a cluster picks its endpoint.
  envoy('extensions/load_balancing_policies/least_request/v3', 'least_request', 'LeastRequest'),
  envoy('extensions/load_balancing_policies/maglev/v3', 'maglev', 'Maglev'),
  envoy('extensions/load_balancing_policies/ring_hash/v3', 'ring_hash', 'RingHash'),
  envoy('extensions/load_balancing_policies/round_robin/v3', 'round_robin', 'RoundRobin'),
]
