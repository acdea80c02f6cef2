import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import t from 'tap'
import { freePort, temporaryFolder, type Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { type CertificateFiles, makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { get } from './get.ts'
import { mappingObject, type Stage, startStage, vmService } from './stage.ts'

function object(kind: string, name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'getambassador.io/v3alpha1', kind, metadata: { name, annotations }, spec }
}

async function certificateSecret(name: string, files: CertificateFiles): Promise<object> {
  const stringData = { 'tls.crt': await readFile(files.certFile, 'utf8'), 'tls.key': await readFile(files.keyFile, 'utf8') }
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData }
}

async function authoritySecret(name: string, files: CertificateFiles): Promise<object> {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { 'ca.crt': await readFile(files.certFile, 'utf8') } }
}

interface Upstream {
  readonly port: number
  /** TLS connections made so far. */
  connections(): number
  /** Shows this certificate from the next handshake on. */
  show(files: CertificateFiles): Promise<void>
}

/** Says of each request over which TLS it came; takes HTTP/1.1 and HTTP/2, with client certificates of an authority, or without any. */
async function startUpstream(t: Teardown, files: CertificateFiles, clients?: CertificateFiles): Promise<Upstream> {
  const pair = async (one: CertificateFiles) => ({ cert: await readFile(one.certFile), key: await readFile(one.keyFile) })
  const wanted = clients === undefined ? {} : { requestCert: true, rejectUnauthorized: true, ca: await readFile(clients.certFile) }
  const server: Http2SecureServer = createSecureServer({ ...(await pair(files)), allowHTTP1: true, ...wanted }, (request, response) => {
    const socket = (request.httpVersion === '1.1' ? request.socket : request.stream.session?.socket) as TLSSocket
    const shown = socket.getPeerCertificate()
    const client = Object.keys(shown).length === 0 ? '' : String(shown.subject.CN)
    const facts = { sni: socket.servername, protocol: socket.getProtocol(), cipher: socket.getCipher().name, client }
    // Each request over HTTP/1.1 is a handshake of its own.
    if (request.httpVersion === '1.1') response.setHeader('connection', 'close')
    response.end(JSON.stringify({ ...facts, http: request.httpVersion }))
  })
  let connections = 0
  const sockets = new Set<TLSSocket>()
  server.on('secureConnection', (socket: TLSSocket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
  })
  server.on('sessionError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    show: async next => server.setSecureContext({ ...(await pair(next)), ...(clients === undefined ? {} : { ca: wanted.ca }) }),
  }
}

async function problemsOf(stage: Stage, kind: string, name: string): Promise<{ state: string; problems: object[]; notices: string[] }> {
  return stage.api(`/api/v1/objects/${kind}/default/${name}`)
}

t.test('TLS to upstreams: client certificates, authorities, SNI, versions, ciphers, ALPN; a bad one takes no other down', async t => {
  const folder = await temporaryFolder(t)
  const [authority, strangers] = [await makeAuthority(folder, 'authority'), await makeAuthority(folder, 'strangers')]
  const certificate = (name: string, ...names: readonly string[]) => makeCertificate(folder, name, authority, names)
  const upstream = await startUpstream(t, await certificate('server', 'up.example', 'URI:spiffe://mesh.example/up'), authority)
  const open = await startUpstream(t, await certificate('open', 'open.example'))
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('up', upstream.port), vmService('open', open.port)])
  const own = await certificate('gateway', 'gateway.example')
  await stage.manifests('secrets', [
    await certificateSecret('own', own),
    await authoritySecret('ca', authority),
    await authoritySecret('other-ca', strangers),
  ])
  const full = { secret: 'own', ca_secret: 'ca' }
  const names = { 'isthmus.dev/verify-names': 'other.example, up.example' }
  const context = (name: string, spec: object, annotations = {}): object => object('TLSContext', name, spec, annotations)
  const mapping = (name: string, tls: unknown, more: object = {}): object =>
    mappingObject(name, { prefix: `/${name}/`, service: 'up', ...(tls === undefined ? {} : { tls }), ...more })
  await stage.manifests('contexts', [
    context('full', { ...full, sni: 'up.example', alpn_protocols: 'h2,http/1.1', max_tls_version: 'v1.3' }, names),
    context('old', { ...full, max_tls_version: 'v1.2', cipher_suites: ['ECDHE-ECDSA-AES256-GCM-SHA384'], ecdh_curves: ['P-256'] }),
    context('spiffe', full, { 'isthmus.dev/verify-names': 'spiffe://mesh.example/up' }),
    context('wrong-name', full, { 'isthmus.dev/verify-names': 'elsewhere.example' }),
    context('wrong-ca', { secret: 'own', ca_secret: 'other-ca' }),
    context('bare', {}),
    context('lost', { secret: 'lost' }),
    context('names-only', { secret: 'own' }, { 'isthmus.dev/verify-names': 'up.example' }),
  ])
  await stage.manifests('mappings', [
    mapping('full', 'full'),
    mapping('old', 'old', { host_rewrite: 'rewritten.example' }),
    mapping('spiffe', 'spiffe', { grpc: true }),
    mapping('wrong-name', 'wrong-name'),
    mapping('wrong-ca', 'wrong-ca'),
    mapping('no-client', 'bare'),
    mapping('true', true, { service: 'open' }),
    mapping('text', 'true', { service: 'http://open' }),
    mapping('https', undefined, { service: 'https://open' }),
    mapping('dns', undefined, { service: `https://localhost:${String(open.port)}` }),
    mapping('lost', 'lost'),
    mapping('nowhere', 'nowhere'),
    mapping('names-only', 'names-only'),
    mapping('contradiction', false, { service: 'https://open' }),
  ])
  await stage.answers('/full/', answer => answer.status === 200)
  const asked = async (name: string): Promise<object> => {
    const { status, body } = await get(`${stage.url}/${name}/`)
    return status === 200 ? { status, ...(JSON.parse(body) as object) } : { status, body }
  }
  const good: readonly (readonly [name: string, facts: object])[] = [
    ['full', { client: 'gateway', sni: 'up.example', protocol: 'TLSv1.3', http: '2.0' }],
    ['old', { client: 'gateway', sni: 'rewritten.example', protocol: 'TLSv1.2', cipher: 'ECDHE-ECDSA-AES256-GCM-SHA384', http: '1.1' }],
    ['spiffe', { client: 'gateway', sni: false, http: '2.0' }],
    ['true', { client: '', sni: false, http: '1.1' }],
    ['text', { client: '', http: '1.1' }],
    ['https', { client: '', http: '1.1' }],
    ['dns', { sni: 'localhost' }],
  ]
  for (const [name, facts] of good) t.match(await asked(name), { status: 200, ...facts }, name)
  t.match(await asked('wrong-name'), { status: 503 })
  t.match(await asked('wrong-ca'), { status: 503 })
  t.match(await asked('no-client'), { status: 503 })
  const refused: readonly (readonly [name: string, text: RegExp])[] = [
    ['lost', /TLSContext default\/lost: there is no Secret default\/lost/],
    ['nowhere', /no usable TLSContext "nowhere", and the requests are not sent in cleartext instead/],
    ['names-only', /verify-names needs ca_secret/],
    ['contradiction', /is false, and the service is written with https/],
  ]
  for (const [name, text] of refused) {
    t.match(await problemsOf(stage, 'Mapping', name), { state: 'refused', problems: [{ path: 'spec.tls', text }] })
    t.equal((await get(`${stage.url}/${name}/`)).status, 404, `${name} is never sent in cleartext`)
  }
  t.match(await problemsOf(stage, 'Mapping', 'https'), { state: 'accepted', notices: [/certificate of the upstream is not checked/] })
  t.match(await problemsOf(stage, 'Mapping', 'text'), { notices: [/spec\.tls counts, not the http:/] })
  t.match(await problemsOf(stage, 'Mapping', 'full'), { state: 'accepted', notices: [] })

  await t.test('a renewed certificate and a changed authority are used without sending the cluster again', async t => {
    const clusters = async (): Promise<unknown> => {
      const dump = (await (await fetch(`${stage.envoy.adminUrl}/config_dump?resource=dynamic_active_clusters`)).json()) as {
        configs: { cluster: { name: string }; last_updated: string }[]
      }
      return dump.configs.map(one => [one.cluster.name, one.last_updated]).sort()
    }
    const before = await clusters()
    const renewed = await certificate('gateway-renewed', 'gateway.example')
    const both = `${await readFile(authority.certFile, 'utf8')}${await readFile(strangers.certFile, 'utf8')}`
    let failed = 0
    const seen = new AbortController()
    const load = (async () => {
      while (!seen.signal.aborted) if ((await get(`${stage.url}/spiffe/`)).status !== 200) failed++
    })()
    await stage.manifests('secrets', [
      await certificateSecret('own', renewed),
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'ca' }, stringData: { 'ca.crt': both } },
      await authoritySecret('other-ca', strangers),
    ])
    await upstream.show(await makeCertificate(folder, 'moved', strangers, ['URI:spiffe://mesh.example/up', 'up.example']))
    await eventually('the renewed one is shown, and both authorities are trusted', async () => {
      const answer = (await asked('old')) as { client?: string }
      return answer.client === 'gateway-renewed'
    })
    seen.abort()
    await load
    t.equal(failed, 0, 'no request failed')
    t.strictSame(await clusters(), before, 'no cluster was sent again')
  })
})

t.test('TCPMapping and AuthService begin TLS, too', async t => {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'authority')
  const files = await makeCertificate(folder, 'server', authority, ['db.example'])
  const [cert, key, ca] = [await readFile(files.certFile), await readFile(files.keyFile), await readFile(authority.certFile)]
  const server = createTlsServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true }, socket => {
    socket.on('error', () => socket.destroy())
    socket.end(`hello ${String(socket.getPeerCertificate().subject.CN)}`)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const upstream = await startUpstream(t, files, authority)
  const stage = await startStage(t)
  await stage.registerVm('vm-1', [vmService('db', (server.address() as AddressInfo).port), vmService('up', upstream.port)])
  const port = await freePort()
  await stage.manifests('all', [
    await certificateSecret('own', await makeCertificate(folder, 'gateway', authority, ['gateway.example'])),
    await authoritySecret('ca', authority),
    object('TLSContext', 'mutual', { secret: 'own', ca_secret: 'ca' }),
    object('TCPMapping', 'db', { port, service: 'db', tls: 'mutual', circuit_breakers: [{ max_connections: 7 }] }),
    object('AuthService', 'auth', { auth_service: 'up', tls: 'mutual', circuit_breakers: [{ max_requests: 9 }] }),
    mappingObject('web', { prefix: '/web/', service: 'up', tls: 'mutual' }),
  ])
  await stage.answers('/web/', answer => answer.status === 200)
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  socket.setEncoding('utf8').on('data', (more: string) => (text += more))
  await once(socket, 'close')
  t.equal(text, 'hello gateway', 'the connection came through TLS')
  const dump = JSON.stringify(await (await fetch(`${stage.envoy.adminUrl}/config_dump?resource=dynamic_active_clusters`)).json())
  t.match(dump, /"max_connections":7/)
  t.match(dump, /"max_requests":9/)
})
