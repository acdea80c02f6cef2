import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import t from 'tap'
import { startEnvoy } from '../tools/envoy-process.ts'
import { startBackends } from '../tools/http-backend.ts'
import { freePorts, temporaryFolder } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { type CertificateFiles, makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { get } from './get.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

function object(kind: string, name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'getambassador.io/v3alpha1', kind, metadata: { name, annotations }, spec }
}

async function secret(name: string, files: CertificateFiles): Promise<object> {
  const stringData = { 'tls.crt': await readFile(files.certFile, 'utf8'), 'tls.key': await readFile(files.keyFile, 'utf8') }
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData }
}

/** An Envoy that takes plain HTTP and goes on by HTTP/3 alone, asking for a name and trusting one authority. */
function client(ports: { admin: number; http: number; h3: number }, sni: string, caFile: string): string {
  const at = (port: number) => ({ address: { socket_address: { address: '127.0.0.1', port_value: port } } })
  const type = (name: string) => ({ '@type': `type.googleapis.com/${name}` })
  const tls = {
    ...{ sni },
    common_tls_context: {
      validation_context: {
        trusted_ca: { filename: caFile },
        match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: sni } }],
      },
    },
  }
  const manager = {
    ...type('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'client',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'h3' } }] }] },
    http_filters: [{ name: 'router', typed_config: type('envoy.extensions.filters.http.router.v3.Router') }],
  }
  const cluster = {
    ...{ name: 'h3', type: 'STATIC', load_assignment: { cluster_name: 'h3', endpoints: [{ lb_endpoints: [{ endpoint: at(ports.h3) }] }] } },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        ...type('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
        explicit_http_config: { http3_protocol_options: {} },
      },
    },
    transport_socket: {
      name: 'envoy.transport_sockets.quic',
      typed_config: { ...type('envoy.extensions.transport_sockets.quic.v3.QuicUpstreamTransport'), upstream_tls_context: tls },
    },
  }
  const chain = { filters: [{ name: 'hcm', typed_config: manager }] }
  return JSON.stringify({
    admin: at(ports.admin),
    static_resources: { listeners: [{ name: 'in', ...at(ports.http), filter_chains: [chain] }], clusters: [cluster] },
  })
}

t.test('HTTP/3: a Listener of UDP by SNI, told of by alt-svc, with renewed certificates', async t => {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'authority')
  const files = await makeCertificate(folder, 'server', authority, ['a.example', 'b.example', 'safe.example'])
  const [backend] = await startBackends(t, 1)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('web', backend.port)])
  const [port = 0, admin = 0, http = 0, other = 0] = await freePorts(4)
  const binding = { securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } }
  await stage.manifests('h3', [
    await secret('server', files),
    object('Listener', 'tls', { port, protocol: 'HTTPS', http2MaxConcurrentStreams: 50, ...binding }),
    object('Listener', 'quic', { port, protocolStack: ['TLS', 'HTTP', 'UDP'], ...binding }, { 'isthmus.dev/alt-svc-port': String(port) }),
    object('Listener', 'bad', { port: other, protocolStack: ['HTTP', 'UDP'], ...binding }, { 'isthmus.dev/alt-svc-port': 'x' }),
    object('Host', 'a', { hostname: 'a.example', tlsSecret: { name: 'server' } }),
    object('Host', 'safe', { hostname: 'safe.example', tlsSecret: { name: 'server' }, tls: { ca_secret: 'server', cert_required: true } }),
    mappingObject('web', { prefix: '/web/', service: 'web' }),
  ])
  const altSvc = (): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const headers = { host: 'a.example' }
      const options = { port, host: '127.0.0.1', path: '/web/', servername: 'a.example', headers, rejectUnauthorized: false, agent: false }
      request(options, response => {
        response.resume().once('end', () => resolve(response.headers['alt-svc']))
      })
        .on('error', reject)
        .end()
    })
  await eventually('TLS tells of HTTP/3', async () => (await altSvc()) === `h3=":${String(port)}"; ma=86400`)
  const envoy = await startEnvoy({ bootstrap: client({ admin, http, h3: port }, 'a.example', authority.certFile), adminPort: admin })
  t.teardown(() => envoy.stop())
  const ask = (): ReturnType<typeof get> => get(`http://127.0.0.1:${String(http)}/web/`, { host: 'a.example' })
  await eventually('an answer by HTTP/3', async () => (await ask()).status === 200)
  t.match(JSON.parse((await ask()).body), { headers: { 'x-forwarded-proto': 'https' } })
  const served = await stage.envoy.stats('downstream_rq_http3_total|downstream_cx_http3_total')
  t.ok(
    [...served].some(([name, value]) => name.includes('ingress_udp') && value > 0),
    'the gateway saw HTTP/3',
  )
  t.match(await stage.api('/api/v1/objects/Listener/default/quic'), {
    state: 'accepted',
    notices: [/safe\.example .* is not served by HTTP\/3: it demands client certificates/],
  })
  t.match(await stage.api('/api/v1/objects/Listener/default/bad'), { state: 'refused', problems: [{ text: /"x" is no port/ }] })
  const dump = JSON.stringify(await stage.envoy.configDump('dynamic_listeners'))
  t.match(dump, /"max_concurrent_streams":50/)
})
