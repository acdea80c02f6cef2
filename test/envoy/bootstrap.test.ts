import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { bootstrap, type BootstrapOptions } from '../../src/envoy/bootstrap.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import { envoyPath } from '../tools/envoy.ts'
import { temporaryFolder } from '../tools/local.ts'
import { runToEnd } from '../tools/process.ts'

const plain: BootstrapOptions = {
  nodeId: 'edge-1',
  cluster: 'edge',
  xds: { host: '127.0.0.1', port: 18000 },
  protocol: 'delta',
  adminPort: 19000,
}

/** The value at a path of field names and indexes. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value)
}

t.test('everything but the control plane itself comes over one ADS stream of the chosen protocol', async t => {
  for (const [protocol, apiType] of [
    ['delta', 'DELTA_GRPC'],
    ['sotw', 'GRPC'],
  ] as const) {
    const made = bootstrap({ ...plain, protocol })
    const ads = at(made, 'dynamic_resources', 'ads_config')
    t.match(ads, { api_type: apiType, transport_api_version: 'V3', set_node_on_first_message_only: true })
    t.equal(at(ads, 'grpc_services', 0, 'envoy_grpc', 'cluster_name'), at(made, 'static_resources', 'clusters', 0, 'name'))
    for (const config of ['cds_config', 'lds_config'])
      t.same(at(made, 'dynamic_resources', config), { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' })
  }
})

t.test('the node, the control plane and the loopback admin page are those of the options', async t => {
  const made = bootstrap(plain)
  t.same(at(made, 'node'), { id: 'edge-1', cluster: 'edge' })
  t.same(at(bootstrap({ ...plain, zone: 'a' }), 'node', 'locality'), { zone: 'a' })
  t.same(at(bootstrap({ ...plain, zone: 'a', region: 'r' }), 'node', 'locality'), { region: 'r', zone: 'a' })
  t.same(at(made, 'admin', 'address', 'socket_address'), { address: '127.0.0.1', port_value: 19000 })
  const cluster = at(made, 'static_resources', 'clusters', 0)
  t.equal(at(cluster, 'type'), 'STATIC')
  t.equal(at(bootstrap({ ...plain, xds: { host: 'xds.corp.example', port: 1 } }), 'static_resources', 'clusters', 0, 'type'), 'STRICT_DNS')
  t.same(at(cluster, 'load_assignment', 'endpoints', 0, 'lb_endpoints', 0, 'endpoint', 'address', 'socket_address'), {
    address: '127.0.0.1',
    port_value: 18000,
  })
  t.equal(at(cluster, 'transport_socket'), undefined)
})

t.test('with TLS the control plane is verified by CA and name, and a certificate of our own is shown', async t => {
  const tls = { caFile: '/tls/ca.pem', certFile: '/tls/cert.pem', keyFile: '/tls/key.pem' }
  const context = (options: BootstrapOptions) =>
    at(bootstrap(options), 'static_resources', 'clusters', 0, 'transport_socket', 'typed_config')
  const named = context({ ...plain, tls: { ...tls, serverName: 'xds.corp.example' } })
  t.equal(at(named, 'sni'), 'xds.corp.example')
  t.same(at(named, 'common_tls_context', 'validation_context'), {
    trusted_ca: { filename: '/tls/ca.pem' },
    match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'xds.corp.example' } }],
  })
  t.same(at(named, 'common_tls_context', 'tls_certificates'), [
    { certificate_chain: { filename: '/tls/cert.pem' }, private_key: { filename: '/tls/key.pem' } },
  ])
  const byAddress = context({ ...plain, tls: { caFile: '/tls/ca.pem' } })
  t.equal(at(byAddress, 'sni'), undefined, 'SNI holds no IP address')
  t.same(at(byAddress, 'common_tls_context', 'validation_context', 'match_typed_subject_alt_names', 0, 'san_type'), 'IP_ADDRESS')
  t.equal(at(byAddress, 'common_tls_context', 'tls_certificates'), undefined)
})

t.test('a bad option is refused by its name', async t => {
  const bad: [string, Partial<BootstrapOptions>][] = [
    ['--node-id: must not be empty', { nodeId: ' ' }],
    ['--node-id: must not hold control characters', { nodeId: 'a\nb' }],
    ['--cluster: must not be empty', { cluster: '' }],
    ['--zone: must not be empty', { zone: '' }],
    ['--region: must not be empty', { region: ' ' }],
    ['--xds: must not be empty', { xds: { host: '', port: 1 } }],
    ['--xds: 0.0.0.0 is an address to listen on', { xds: { host: '0.0.0.0', port: 1 } }],
    ['--xds: the port must be 1 to 65535, not 65536', { xds: { host: 'a', port: 65_536 } }],
    ['--admin-port: the port must be 1 to 65535, not 0', { adminPort: 0 }],
    ['--admin-port: the port must be 1 to 65535, not NaN', { adminPort: NaN }],
    ['--ready: localhost is no IP address to listen on', { ready: { host: 'localhost', port: 1 } }],
    ['--ready: the port must be 1 to 65535, not 0', { ready: { host: '0.0.0.0', port: 0 } }],
    ['--tls-ca: must not be empty', { tls: { caFile: '' } }],
    ['--tls-key: is missing', { tls: { caFile: 'a', certFile: 'b' } }],
    ['--tls-cert: is missing', { tls: { caFile: 'a', keyFile: 'b' } }],
    ['--tls-server-name: must not be empty', { tls: { caFile: 'a', serverName: '' } }],
  ]
  for (const [text, change] of bad) {
    try {
      bootstrap({ ...plain, ...change })
      t.fail(`accepted: ${text}`)
    } catch (error) {
      t.ok(error instanceof IsthmusError && error.code === 'settings-invalid', text)
      t.ok(error instanceof Error && error.message.startsWith(text), String(error))
    }
  }
})

t.test('Envoy accepts every form of it, without a warning', async t => {
  const folder = await temporaryFolder(t)
  const files = { caFile: join(folder, 'ca.pem'), certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  const made = await runToEnd('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=edge-1', '-addext', 'subjectAltName=DNS:edge-1', '-keyout', files.keyFile, '-out', files.certFile],
  ])
  t.equal(made.code, 0, made.stderr)
  await copyFile(files.certFile, files.caFile)
  const forms: BootstrapOptions[] = [
    plain,
    { ...plain, protocol: 'sotw', xds: { host: 'xds.corp.example', port: 443 } },
    { ...plain, tls: { ...files, serverName: 'xds.corp.example' } },
    { ...plain, tls: { caFile: files.caFile } },
    { ...plain, ready: { host: '0.0.0.0', port: 8006 } },
    { ...plain, xds: { socket: join(folder, 'socket') } },
  ]
  for (const [index, options] of forms.entries()) {
    const file = join(folder, `bootstrap-${index}.json`)
    await writeFile(file, JSON.stringify(bootstrap(options)))
    const { code, stdout, stderr } = await runToEnd(await envoyPath(), ['--mode', 'validate', '-c', file, '-l', 'warning'])
    t.equal(code, 0, stderr)
    t.equal(stderr, '', stdout)
  }
})
