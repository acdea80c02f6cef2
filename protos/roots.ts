/** The messages we encode or decode, by the file that defines them. What they refer to comes along. */
export const roots: readonly { readonly file: string; readonly messages: readonly string[] }[] = [
  {
    file: 'envoy/service/discovery/v3/discovery.proto',
    messages: ['DiscoveryRequest', 'DiscoveryResponse', 'DeltaDiscoveryRequest', 'DeltaDiscoveryResponse'].map(
      name => `envoy.service.discovery.v3.${name}`,
    ),
  },
  { file: 'envoy/config/bootstrap/v3/bootstrap.proto', messages: ['envoy.config.bootstrap.v3.Bootstrap'] },
  { file: 'envoy/config/cluster/v3/cluster.proto', messages: ['envoy.config.cluster.v3.Cluster'] },
  { file: 'envoy/config/endpoint/v3/endpoint.proto', messages: ['envoy.config.endpoint.v3.ClusterLoadAssignment'] },
  { file: 'envoy/config/listener/v3/listener.proto', messages: ['envoy.config.listener.v3.Listener'] },
  { file: 'envoy/config/route/v3/route.proto', messages: ['envoy.config.route.v3.RouteConfiguration'] },
  { file: 'envoy/service/runtime/v3/rtds.proto', messages: ['envoy.service.runtime.v3.Runtime'] },
  {
    file: 'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
    messages: ['envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'],
  },
  { file: 'envoy/extensions/filters/http/router/v3/router.proto', messages: ['envoy.extensions.filters.http.router.v3.Router'] },
  {
    file: 'envoy/extensions/transport_sockets/tls/v3/tls.proto',
    messages: ['Secret', 'UpstreamTlsContext', 'DownstreamTlsContext'].map(name => `envoy.extensions.transport_sockets.tls.v3.${name}`),
  },
  {
    file: 'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
    messages: ['envoy.extensions.upstreams.http.v3.HttpProtocolOptions'],
  },
]
