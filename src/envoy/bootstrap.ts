import { isIP } from 'node:net'
import { IsthmusError } from '../model/errors.ts'
import { runtimeLayer } from '../model/runtime-layer.ts'

export interface BootstrapOptions {
  /** Who this Envoy is; unique among all Envoys of the control plane. */
  readonly nodeId: string
  /** The group of Envoys it belongs to. */
  readonly cluster: string
  /** Where it runs, for services that prefer endpoints nearby: as registries call it. */
  readonly zone?: string
  readonly region?: string
  /** Where the control plane listens: an IP address or a host name, or the path of a Unix socket. */
  readonly xds: { readonly host: string; readonly port: number } | { readonly socket: string }
  readonly protocol: 'delta' | 'sotw'
  /** Envoy's own admin page, on 127.0.0.1 alone: it has no authentication and can stop Envoy. */
  readonly adminPort: number
  /** Where it answers `/ready`, for load balancers in front; undefined: nowhere but on its admin page. */
  readonly ready?: { readonly host: string; readonly port: number }
  /** How to reach the control plane over TLS; undefined: in cleartext. */
  readonly tls?: XdsTls
}

/** File names are those of the machine Envoy runs on. */
export interface XdsTls {
  /** The CA that the control plane's certificate must come from. */
  readonly caFile: string
  /** This Envoy's own certificate and key, for mutual TLS: both or neither. */
  readonly certFile?: string
  readonly keyFile?: string
  /** The name or IP address in the control plane's certificate; default: `xds.host`. */
  readonly serverName?: string
}

/** Name of the one cluster in the bootstrap: the control plane itself. */
const xdsClusterName = 'isthmus_xds'
/** Waits for it as long as it takes: an Envoy that nobody gave routes must not call itself ready after Envoy's usual 15 s (xds.md S1). */
const firstConfiguration = { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' }
/** What the listener of `/ready` is called in statistics. */
export const readyStatPrefix = 'isthmus_ready'

/**
 * Envoy's own 100 would refuse patterns that Emissary takes. Larger ones are refused object by object before they get here: this is what
 * src/manifests/regex-size.ts accepts.
 */
const regexProgramSize = 300
/** Envoy warns at each start without such a limit; this is the figure its guide for edge proxies uses. */
const maxDownstreamConnections = 50_000

/**
 * The bootstrap of an Envoy that takes everything else over one ADS stream: plain JSON in Envoy's own field names.
 * Throws `settings-invalid` naming the option that is wrong.
 */
export function bootstrap(options: BootstrapOptions): object {
  check(options)
  return {
    node: nodeOf(options),
    admin: { address: socketAddress('127.0.0.1', options.adminPort), ignore_global_conn_limit: true },
    dynamic_resources: {
      ads_config: {
        api_type: options.protocol === 'delta' ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        // The longest wait is shorter than Envoy's 30 s, so that a restarted control plane has its Envoys back soon (xds.md L7).
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: xdsClusterName,
              retry_policy: { retry_back_off: { base_interval: '0.5s', max_interval: '10s' } },
            },
          },
        ],
      },
      cds_config: firstConfiguration,
      lds_config: firstConfiguration,
    },
    static_resources: {
      clusters: [xdsCluster(options)],
      ...(options.ready === undefined ? {} : { listeners: [readyListener(options.ready)] }),
    },
    layered_runtime: {
      layers: [
        { name: 'bootstrap', static_layer: { 're2.max_program_size.error_level': regexProgramSize } },
        // What the Module's runtime_flags say. Envoy waits for it before it asks for anything else; a control plane without it shall not delay much.
        {
          name: runtimeLayer,
          rtds_layer: { name: runtimeLayer, rtds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '5s' } },
        },
        { name: 'admin', admin_layer: {} },
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            max_active_downstream_connections: maxDownstreamConnections,
          },
        },
      ],
    },
  }
}

function nodeOf({ nodeId, cluster, zone, region }: BootstrapOptions): object {
  const locality = { ...(region === undefined ? {} : { region }), ...(zone === undefined ? {} : { zone }) }
  return { id: nodeId, cluster, ...(Object.keys(locality).length === 0 ? {} : { locality }) }
}

function xdsCluster({ xds, tls }: BootstrapOptions): object {
  return {
    name: xdsClusterName,
    ...('socket' in xds || isIP(xds.host) !== 0 ? { type: 'STATIC' } : { type: 'STRICT_DNS', dns_lookup_family: 'V4_PREFERRED' }),
    connect_timeout: '5s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        // A control plane that vanished without closing the connection is noticed by the ping (xds.md L6).
        explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: '30s', timeout: '10s' } } },
      },
    },
    load_assignment: {
      cluster_name: xdsClusterName,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(xds) } }] }],
    },
    ...(tls === undefined || 'socket' in xds ? {} : { transport_socket: tlsSocket(tls, tls.serverName ?? xds.host) }),
  }
}

/** Answers `/ready` with 200 from its first configuration until it drains, and with 503 then; anything else with 404. */
function readyListener({ host, port }: { readonly host: string; readonly port: number }): object {
  const type = (name: string): object => ({ '@type': `type.googleapis.com/envoy.extensions.filters.${name}` })
  const isReady = { name: ':path', string_match: { exact: '/ready' } }
  const manager = {
    ...type('network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: readyStatPrefix,
    // The checks of HAProxy and F5 are HTTP/1.0 unless they are told otherwise.
    http_protocol_options: { accept_http_10: true, default_host_for_http_10: 'ready' },
    route_config: { virtual_hosts: [] },
    http_filters: [
      {
        name: 'envoy.filters.http.health_check',
        typed_config: { ...type('http.health_check.v3.HealthCheck'), pass_through_mode: false, headers: [isReady] },
      },
      { name: 'envoy.filters.http.router', typed_config: type('http.router.v3.Router') },
    ],
  }
  return {
    name: readyStatPrefix,
    stat_prefix: readyStatPrefix,
    address: socketAddress(host, port),
    // A flood of clients must not make it look ill.
    ignore_global_conn_limit: true,
    filter_chains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }] }],
  }
}

function tlsSocket(tls: XdsTls, serverName: string): object {
  const isAddress = isIP(serverName) !== 0
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      // SNI holds host names only (RFC 6066, 3).
      ...(isAddress ? {} : { sni: serverName }),
      common_tls_context: {
        alpn_protocols: ['h2'],
        ...(tls.certFile === undefined
          ? {}
          : { tls_certificates: [{ certificate_chain: { filename: tls.certFile }, private_key: { filename: tls.keyFile } }] }),
        validation_context: {
          trusted_ca: { filename: tls.caFile },
          match_typed_subject_alt_names: [{ san_type: isAddress ? 'IP_ADDRESS' : 'DNS', matcher: { exact: serverName } }],
        },
      },
    },
  }
}

function addressOf(xds: BootstrapOptions['xds']): object {
  return 'socket' in xds ? { pipe: { path: xds.socket } } : socketAddress(xds.host, xds.port)
}

function socketAddress(address: string, port: number): object {
  return { socket_address: { address, port_value: port } }
}

function check({ nodeId, cluster, zone, region, xds, adminPort, ready, tls }: BootstrapOptions): void {
  checkText('--node-id', nodeId)
  checkText('--cluster', cluster)
  if (zone !== undefined) checkText('--zone', zone)
  if (region !== undefined) checkText('--region', region)
  checkXds(xds)
  checkPort('--admin-port', adminPort)
  if (ready !== undefined) {
    if (isIP(ready.host) === 0) throw invalid('--ready', `${ready.host} is no IP address to listen on`)
    checkPort('--ready', ready.port)
  }
  if (tls === undefined) return
  checkText('--tls-ca', tls.caFile)
  if (tls.certFile !== undefined) checkText('--tls-cert', tls.certFile)
  if (tls.keyFile !== undefined) checkText('--tls-key', tls.keyFile)
  if (tls.serverName !== undefined) checkText('--tls-server-name', tls.serverName)
  if (tls.certFile === undefined && tls.keyFile !== undefined) throw invalid('--tls-cert', 'is missing: a key needs its certificate')
  if (tls.certFile !== undefined && tls.keyFile === undefined) throw invalid('--tls-key', 'is missing: a certificate needs its key')
}

function checkXds(xds: BootstrapOptions['xds']): void {
  if ('socket' in xds) return
  checkText('--xds', xds.host)
  if (['0.0.0.0', '::'].includes(xds.host)) {
    throw invalid('--xds', `${xds.host} is an address to listen on: name the one under which this Envoy reaches the control plane`)
  }
  checkPort('--xds', xds.port)
}

function checkText(option: string, value: string): void {
  if (value.trim() === '') throw invalid(option, 'must not be empty')
  if (/[\u0000-\u001f\u007f]/.test(value)) throw invalid(option, 'must not hold control characters')
}

function checkPort(option: string, port: number): void {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid(option, `the port must be 1 to 65535, not ${port}`)
}

function invalid(option: string, text: string): IsthmusError {
  return new IsthmusError('settings-invalid', `${option}: ${text}`)
}
