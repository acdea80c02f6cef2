import t from 'tap'
import { startConsul } from '../tools/consul-agent.ts'
import { startKubeCluster, type KubeManifest } from '../tools/kube-cluster.ts'
import { eventually } from '../tools/process.ts'
import { mappingObject, type Stage, startStage } from './stage.ts'

const consul = await startConsul()
const cluster = await startKubeCluster()
t.teardown(() => Promise.all([consul.stop(), cluster.stop()]))
t.setTimeout(120_000)

const service = (name: string, namespace: string, spec: object, labels = {}): KubeManifest => ({
  ...{ apiVersion: 'v1', kind: 'Service', spec },
  metadata: { name, namespace, labels },
})
const slice = (name: string, namespace: string, ...addresses: readonly string[]): KubeManifest => ({
  ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'http', port: 8080 }] },
  metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
  endpoints: addresses.map(address => ({ addresses: [address] })),
})
const ports = [{ name: 'http', port: 80, targetPort: 8080 }]

await cluster.apply(
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  ...['default', 'shop'].map(namespace => service('web', namespace, { clusterIP: 'None', ports })),
  slice('web', 'default', '10.0.0.1', '10.0.0.2'),
  slice('web', 'shop', '10.0.1.1'),
  // What consul-k8s makes of Consul's `db`.
  service('db', 'default', { type: 'ExternalName', externalName: 'db.service.consul' }, { consul: 'true' }),
)
const copy = (namespace: string) => ({ 'external-source': 'kubernetes', 'external-k8s-ns': namespace })
await consul.register({ name: 'web', id: 'web-vm', address: '10.2.0.1', port: 8080 })
await consul.register({ name: 'db', address: '10.2.0.9', port: 5432 })
// As consul-k8s copies a Service of type NodePort: another address and port than the pod's, so that nothing but its meta tells.
await consul.register({ name: 'web', id: 'web-default', address: '10.9.0.1', port: 30080, meta: copy('default') })
await consul.register({ name: 'web', id: 'web-shop', address: '10.9.0.1', port: 30081, meta: copy('shop') })

interface Listed {
  readonly items: readonly { readonly address: string; readonly port: number; readonly source: string }[]
}

async function served(stage: Stage, name: string): Promise<readonly string[]> {
  const { items } = await stage.api<Listed>(`/api/v1/services/${name}/endpoints`)
  return items.map(({ address, port, source }) => `${source} ${address}:${port}`).sort()
}

async function start(t: Parameters<typeof startStage>[0], namespaces: readonly string[], own: object = {}): Promise<Stage> {
  const stage = await startStage(t, {
    sources: [
      { name: 'dc1', type: 'consul', address: consul.url, ...own },
      { name: 'cluster', type: 'kubernetes', kubeconfig: await cluster.kubeconfigFile(), namespaces },
    ],
  })
  await stage.manifests('web', [mappingObject('web', { prefix: '/web/', service: 'web' })])
  return stage
}

t.test('a service of both registries is one pool, in which copies of the cluster do not count', async t => {
  const stage = await start(t, ['*'])
  const expected = ['cluster 10.0.0.1:8080', 'cluster 10.0.0.2:8080', 'dc1 10.2.0.1:8080']
  await eventually('both are in it', async () => (await served(stage, 'default/web')).join() === expected.join())
  t.same(await served(stage, 'shop/web'), ['cluster 10.0.1.1:8080'])
  t.same(await served(stage, 'default/db'), ['dc1 10.2.0.9:5432'], 'the mirror of a service is no second one')
  const dump = async (): Promise<string> => (await fetch(`${stage.envoy.adminUrl}/config_dump?include_eds`)).text()
  const inEnvoy = async (): Promise<readonly string[]> => [...new Set((await dump()).match(/10\.\d+\.\d+\.\d+/g))].sort()
  await eventually('Envoy has those three', async () => (await inEnvoy()).join() === '10.0.0.1,10.0.0.2,10.2.0.1')
  // The same instance in both, as a pod that registers itself, is one endpoint with two evidences.
  await consul.register({ name: 'web', id: 'web-pod', address: '10.0.0.1', port: 8080 })
  interface Explained {
    readonly items: readonly { readonly address: string; readonly evidence: readonly { readonly source: string }[] }[]
  }
  await eventually('it has two evidences', async () => {
    const { items } = await stage.api<Explained>('/api/v1/services/default/web/endpoints')
    return items.length === 3 && items.find(one => one.address === '10.0.0.1')?.evidence.length === 2
  })
  await consul.deregister('web-pod')
})

t.test('only copies of namespaces that are read are left out, and settings may say otherwise', async t => {
  const some = await start(t, ['shop'])
  const copies = ['dc1 10.2.0.1:8080', 'dc1 10.9.0.1:30080']
  await eventually('the copy of the other namespace counts', async () => (await served(some, 'default/web')).join() === copies.join())
  t.same(await served(some, 'shop/web'), ['cluster 10.0.1.1:8080'])
  await some.stopGateway()
  const all = await start(t, ['*'], { ignoreKubernetesSynced: false })
  await eventually('all copies count', async () => (await served(all, 'default/web')).length === 5)
})
