import { readFile } from 'node:fs/promises'
import { connect } from 'node:tls'
import t, { type Test } from 'tap'
import { crdFiles, deployed, emissary, get as read, install, mapping } from '../plugins/kubernetes/manifests/replica.ts'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'
import { endpointSlice, kubeService, startPods } from '../tools/kube-objects.ts'
import { type Load, startLoad } from '../tools/load.ts'
import { freePort, temporaryFolder } from '../tools/local.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { eventually } from '../tools/process.ts'
import { makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { startStage } from './stage.ts'

/** A gateway whose routes, certificates and endpoints all come from one API server, as Envoy serves them. */

enterOwnNetwork()
t.setTimeout(150_000)
const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
const crds = await deployed(...crdFiles, 'ingressclass.yaml')
const address = '10.77.1.1'
await startPods(t, [address])
await cluster.apply(kubeService('web'), endpointSlice('web', 'web', [{ address }]))
const stage = await startStage(t, {
  sources: [{ name: 'cluster', type: 'kubernetes', kubeconfig: await cluster.kubeconfigFile() }],
  settings: { manifests: [{ type: 'kubernetes', source: 'cluster', publish: { service: 'default/gateway' } }] },
})
const tlsPort = await freePort()
const binding = { securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } }
const insecure = { insecure: { action: 'Route' } }

interface Status {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] }
  }
}

async function isAccepted(object: KubeManifest, expected: 'True' | 'False', message = /^/): Promise<boolean> {
  const found = (await read<Status>(cluster, object)).status?.conditions?.find(one => one.type === 'Accepted')
  return found?.status === expected && message.test(found.message)
}

async function nothingFailed(test: Test, load: Load): Promise<void> {
  await eventually('there was load', () => load.report().requests > 20)
  const report = await load.stop()
  test.same(report.failures, [])
}

const becomes = (path: string, status: number) => stage.answers(path, answer => answer.status === status)

t.test('kinds that are installed after the gateway started configure it', async t => {
  const definitions = crds.filter(({ kind }) => kind === 'CustomResourceDefinition')
  await install(cluster, definitions)
  await cluster.apply(
    ...crds.filter(one => !definitions.includes(one)),
    emissary('Listener', 'http', { port: stage.port, protocol: 'HTTP', ...binding }),
    emissary('Listener', 'https', { port: tlsPort, protocol: 'HTTPS', ...binding }),
    emissary('Host', 'any', { hostname: '*', requestPolicy: insecure }),
    mapping('steady', { prefix: '/steady/', service: 'web' }),
  )
  // A kind that is absent is looked for at most every 30 s.
  await eventually('it is served', async () => (await fetch(`${stage.url}/steady/`)).status === 200, 60_000)
  t.match(await stage.api('/api/v1/objects/Mapping/default/steady'), { state: 'accepted', at: 'cluster/default/steady' })
})

t.test('applied, edited, refused and deleted Mappings, each as Envoy serves it; the others are not touched', async t => {
  const load = startLoad({ url: `${stage.url}/steady/`, requestsPerSecond: 60 })
  await cluster.apply(mapping('one', { prefix: '/one/', service: 'web' }))
  await becomes('/one/', 200)
  await cluster.apply(mapping('one', { prefix: '/two/', service: 'web' }))
  await becomes('/two/', 200)
  await becomes('/one/', 404)
  await t.rejects(cluster.apply(mapping('one', { prefix: '/two/' })), /422.*spec\.service: Required/)
  await cluster.apply(mapping('one', { prefix: '/two/(', prefix_regex: true, service: 'web' }))
  await eventually('the status says why', () => isAccepted(mapping('one', {}), 'False', /^spec\.prefix: /))
  await becomes('/two/', 200)
  await cluster.delete(mapping('one', {}))
  await becomes('/two/', 404)
  await nothingFailed(t, load)
})

t.test('a Secret that is rotated changes the certificate that is served, and no handshake fails meanwhile', async t => {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'authority')
  const put = async (name: string): Promise<void> => {
    const files = await makeCertificate(folder, name, authority, ['tls.example'])
    const stringData = { 'tls.crt': await readFile(files.certFile, 'utf8'), 'tls.key': await readFile(files.keyFile, 'utf8') }
    await cluster.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls', namespace: 'default' }, stringData })
  }
  await put('first')
  await cluster.apply(emissary('Host', 'tls', { hostname: 'tls.example', tlsSecret: { name: 'tls' }, requestPolicy: insecure }))
  const ca = await readFile(authority.certFile)
  await eventually('the first one', async () => (await served(ca)) === 'first')
  const failures: unknown[] = []
  const over = new AbortController()
  const load = (async () => {
    while (!over.signal.aborted) await served(ca).catch((error: unknown) => failures.push(error))
  })()
  await put('second')
  await eventually('the second one', async () => (await served(ca)) === 'second')
  over.abort()
  await load
  t.same(failures, [])
})

t.test('an Ingress is served, and has the address of the Service in front of the gateway', async () => {
  const gateway: KubeManifest = { ...kubeService('gateway'), spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } }
  const backend = { service: { name: 'web', port: { number: 80 } } }
  const ingress: KubeManifest = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      ingressClassName: 'isthmus',
      rules: [{ host: 'ingress.example', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
    },
  }
  await cluster.apply(gateway, ingress)
  const status = { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } }
  await cluster.request('PATCH', `${await cluster.pathOf(gateway)}/status`, { status }, 'application/merge-patch+json')
  await stage.answers('/anything', answer => answer.status === 200, { host: 'ingress.example' })
  await eventually('it has the address', async () => {
    const [point] = (await read<Status>(cluster, ingress)).status?.loadBalancer?.ingress ?? []
    return point?.ip === '192.0.2.10'
  })
})

t.test('a kind that is removed takes its objects along, nothing else; when it returns, so do they', async t => {
  const definition = crds.find(({ metadata }) => metadata.name.startsWith('mappings.'))
  if (definition === undefined) throw new Error('no CustomResourceDefinition of Mapping')
  const load = startLoad({ url: `${stage.url}/`, headers: { host: 'ingress.example' }, requestsPerSecond: 60 })
  await cluster.delete(definition)
  await becomes('/steady/', 404)
  await eventually('it is gone', () =>
    read(cluster, definition).then(
      () => false,
      (error: unknown) => String(error).includes(': 404 '),
    ),
  )
  await install(cluster, [definition])
  await cluster.apply(mapping('steady', { prefix: '/steady/', service: 'web' }))
  await eventually('it is served', async () => (await fetch(`${stage.url}/steady/`)).status === 200, 60_000)
  await eventually('it has its status', () => isAccepted(mapping('steady', {}), 'True'))
  await nothingFailed(t, load)
})

/** The name in the certificate that Envoy shows for tls.example; rejects when the handshake fails. */
function served(ca: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: tlsPort, host: '127.0.0.1', servername: 'tls.example', ca }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    }).on('error', reject)
  })
}
