import { createServer, type Server } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import { TLSSocket } from 'node:tls'
import t from 'tap'
import { type ConsulAgent, startConsul } from '../tools/consul-agent.ts'
import { startBackends } from '../tools/http-backend.ts'
import { startLoad } from '../tools/load.ts'
import type { Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'
import { mappingObject, startStage, vmService } from './stage.ts'

// Consul spreads new leaves over 30 s.
t.setTimeout(120_000)

interface Leaf {
  readonly CertPEM: string
  readonly PrivateKeyPEM: string
}

interface Roots {
  readonly ActiveRootID: string
  readonly Roots: readonly { readonly RootCert: string }[]
}

interface Sidecar {
  readonly port: number
  /** Requests that came through its TLS. */
  requests: number
  /** Names (SPIFFE) and serial numbers of the certificates that clients showed. */
  readonly clients: Set<string>
  readonly serials: Set<string>
  /** Takes the leaf and the roots as Consul has them now. */
  refresh(): Promise<void>
}

/** A TLS server with a leaf that Consul issued for a service, which demands certificates of Consul's roots; a connection for each request. */
async function startSidecar(t: Teardown, consul: ConsulAgent, service: string): Promise<Sidecar> {
  const material = async (): Promise<{ cert: string; key: string; ca: string[] }> => {
    const leaf = (await consul.request('GET', `/v1/agent/connect/ca/leaf/${service}`)) as Leaf
    const { Roots: roots } = (await consul.request('GET', '/v1/agent/connect/ca/roots')) as Roots
    return { cert: leaf.CertPEM, key: leaf.PrivateKeyPEM, ca: roots.map(one => one.RootCert) }
  }
  const options = { requestCert: true, rejectUnauthorized: true }
  const server: Server = createServer({ ...(await material()), ...options }, (request, response) => {
    if (!(request.socket instanceof TLSSocket)) throw new Error('a request without TLS')
    const { subjectaltname = '', serialNumber } = request.socket.getPeerCertificate()
    sidecar.requests++
    sidecar.clients.add(subjectaltname)
    sidecar.serials.add(serialNumber)
    response.setHeader('connection', 'close')
    response.end(JSON.stringify({ instance: `sidecar of ${service}` }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const sidecar: Sidecar = {
    port: (server.address() as { port: number }).port,
    requests: 0,
    clients: new Set(),
    serials: new Set(),
    async refresh() {
      server.setSecureContext(await material())
    },
  }
  return sidecar
}

function registerSidecar(consul: ConsulAgent, service: string, port: number): Promise<void> {
  const extra = { Kind: 'connect-proxy', Proxy: { DestinationServiceName: service, DestinationServiceID: `${service}-1` } }
  return consul.register({ name: `${service}-sidecar-proxy`, address: '127.0.0.1', port, extra })
}

interface Explained {
  readonly verdict: string
}

t.test(
  'Consul Connect: sidecars by mutual TLS beside plain instances, through a rotation of the root, and never the wrong one',
  async t => {
    const consul = await startConsul()
    t.teardown(() => consul.stop())
    const backends = await startBackends(t, 2)
    const [behind, vm] = backends
    const web = await startSidecar(t, consul, 'web')
    // It shows a certificate of another service than it was registered for.
    const impostor = await startSidecar(t, consul, 'web')
    await consul.register({ name: 'web', id: 'web-1', address: '127.0.0.1', port: behind.port })
    await registerSidecar(consul, 'web', web.port)
    await consul.register({ name: 'bank', id: 'bank-1', address: '127.0.0.1', port: behind.port })
    await registerSidecar(consul, 'bank', impostor.port)
    const stage = await startStage(t, {
      sources: [
        { name: 'dc1', type: 'consul', address: consul.url, connect: 'edge' },
        { name: 'vms', type: 'vm' },
      ],
    })
    await stage.registerVm('vm-1', [vmService('web', vm.port)])
    await stage.manifests('web', [
      mappingObject('web', { prefix: '/web/', service: 'web' }),
      mappingObject('bank', { prefix: '/bank/', service: 'bank' }),
    ])
    await stage.answers('/web/', answer => answer.body.includes('sidecar of web'))
    await stage.answers('/web/', answer => answer.body.includes('backend-2'))
    t.match([...web.clients], [/^URI:spiffe:\/\/[^/]+\/ns\/default\/dc\/dc1\/svc\/edge$/], 'Envoy shows the leaf of the service that it is')

    await stage.synced()
    for (let count = 0; count < 5; count++) t.equal((await get(`${stage.url}/bank/`)).status, 503)
    t.equal(impostor.requests, 0, 'a certificate of another service is not spoken to')
    const refused = [...(await stage.envoy.stats('ssl.fail_verify_san$')).values()].reduce((sum, one) => sum + one, 0)
    t.ok(refused > 0, 'it was dialled, and refused for its name')

    // An instance gets its sidecar while it is in use.
    const late = await startSidecar(t, consul, 'late')
    await consul.register({ name: 'late', id: 'late-1', address: '127.0.0.1', port: behind.port })
    await stage.manifests('late', [mappingObject('late', { prefix: '/late/', service: 'late' })])
    await stage.answers('/late/', answer => answer.body.includes('backend-1'))
    const change = startLoad({ url: `${stage.url}/late/`, concurrency: 2, requestsPerSecond: 60 })
    t.teardown(() => change.stop())
    await registerSidecar(consul, 'late', late.port)
    await eventually('requests go through the sidecar', () => (change.report().instances.get('sidecar of late') ?? 0) > 20)
    const changed = await change.stop()
    t.equal(changed.failed, 0, JSON.stringify(changed.failures.slice(0, 3)))
    t.match(JSON.parse((await get(`${stage.url}/late/`)).body), { instance: 'sidecar of late' })

    const { items } = await stage.api<{ items: readonly { notices: readonly unknown[] }[] }>('/api/v1/sources')
    t.notMatch(JSON.stringify([items, await stage.envoy.configDump()]), /PRIVATE KEY/)

    const load = startLoad({ url: `${stage.url}/web/`, concurrency: 2, requestsPerSecond: 60 })
    t.teardown(() => load.stop())
    const modified = async (): Promise<number> => [...(await stage.envoy.stats('^cluster_manager.cluster_modified$')).values()][0] ?? -1
    const before = { modified: await modified(), roots: (await consul.request('GET', '/v1/agent/connect/ca/roots')) as Roots }
    t.ok(before.modified >= 0)
    const serials = new Set(web.serials)
    await consul.request('PUT', '/v1/connect/ca/configuration', {
      Provider: 'consul',
      Config: { LeafCertTTL: '72h', PrivateKeyType: 'ec', PrivateKeyBits: 384 },
    })
    await eventually('Consul has another root', async () => {
      const { ActiveRootID: id } = (await consul.request('GET', '/v1/agent/connect/ca/roots')) as Roots
      return id !== before.roots.ActiveRootID
    })
    // Consul spreads new leaves over 30 s.
    await eventually(
      'Envoy shows its new leaf',
      async () => {
        await web.refresh()
        return [...web.serials].some(serial => !serials.has(serial))
      },
      60_000,
    )
    const { requests, failed, failures, instances } = await load.stop()
    t.equal(failed, 0, JSON.stringify(failures.slice(0, 3)))
    t.ok(
      requests > 0 && (instances.get('sidecar of web') ?? 0) > 0 && (instances.get('backend-2') ?? 0) > 0,
      JSON.stringify([...instances]),
    )
    t.notOk(instances.has('backend-1'), 'an instance with a sidecar is not dialled beside it')
    t.equal(await modified(), before.modified, 'the rotation sent no cluster again')
  },
)

t.test('an instance that takes the mesh only is never dialled in plain, and `why` says so', async t => {
  const consul = await startConsul()
  t.teardown(() => consul.stop())
  let connections = 0
  const server = createTcpServer(socket => {
    connections++
    socket.destroy()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  await consul.register({ name: 'web', id: 'web-1', address: '127.0.0.1', port, extra: { Connect: { Native: true } } })
  const stage = await startStage(t, { sources: [{ name: 'dc1', type: 'consul', address: consul.url }] })
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  await stage.answers('/web/', answer => answer.status === 503)
  await stage.synced()
  for (let count = 0; count < 5; count++) t.equal((await get(`${stage.url}/web/`)).status, 503)
  t.equal(connections, 0)
  const explained = await stage.api<Explained>(`/api/v1/services/default/web/explain?address=127.0.0.1:${String(port)}`)
  t.match(JSON.stringify(explained), /mesh-only.*set connect: true on the source dc1/)
  const conflicts = await stage.api<{ items: readonly { kind: string }[] }>('/api/v1/conflicts')
  t.ok(conflicts.items.some(({ kind }) => kind === 'mesh-only'))
})
