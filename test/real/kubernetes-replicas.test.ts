import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { bootstrap } from '../../src/envoy/bootstrap.ts'
import { crdFiles, deployed, emissary, get as read, install, mapping } from '../plugins/kubernetes/manifests/replica.ts'
import { startBalancer } from '../tools/balancer.ts'
import { startEnvoy } from '../tools/envoy-process.ts'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'
import { endpointSlice, kubeService, startPods } from '../tools/kube-objects.ts'
import { startLoad } from '../tools/load.ts'
import { temporaryFolder } from '../tools/local.ts'
import { enterOwnNetwork } from '../tools/own-network.ts'
import { type Child, eventually, startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'

/** Two gateways of one cluster, each a process of its own that shares nothing with the other but the API server; DESIGN.md, shape 2. */

enterOwnNetwork()
t.setTimeout(150_000)

const ids = ['one', 'two'] as const
type Id = (typeof ids)[number]
const adminOf = (id: Id): string => `http://127.0.0.1:887${String(ids.indexOf(id) + 1)}`
const xdsPort = (id: Id): number => 18_001 + ids.indexOf(id)
const lease: KubeManifest = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'isthmus-status-default', namespace: 'default' },
}

interface LeaseBody {
  readonly spec: { readonly holderIdentity: string; readonly leaseTransitions: number }
}

interface Status {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** Bytes of configuration that a gateway has sent so far. */
async function sent(id: Id): Promise<number> {
  const text = await (await fetch(`${adminOf(id)}/metrics`)).text()
  return [...text.matchAll(/^isthmus_xds_response_bytes_total(?:\{[^}]*\})? (\d+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0)
}

t.test(
  'the replica that leads is killed: its Envoy goes on with the other, is sent nothing again, and the other writes statuses',
  async t => {
    const folder = await temporaryFolder(t)
    const cluster = await startKubeCluster()
    t.teardown(() => cluster.stop())
    await install(cluster, await deployed(...crdFiles))
    await startPods(t, ['10.77.1.1', '10.77.1.2'])
    const pods = (...addresses: readonly string[]) =>
      endpointSlice(
        'web',
        'web',
        addresses.map(address => ({ address })),
      )
    const binding = { securityModel: 'XFP', hostBinding: { namespace: { from: 'ALL' } } }
    await cluster.apply(
      kubeService('web'),
      pods('10.77.1.1'),
      emissary('Listener', 'http', { port: 8080, protocol: 'HTTP', ...binding }),
      emissary('Host', 'any', { hostname: '*', requestPolicy: { insecure: { action: 'Route' } } }),
      ...Array.from({ length: 30 }, (_, index) => mapping(`web-${String(index)}`, { prefix: `/web-${String(index)}/`, service: 'web' })),
    )
    const kubeconfig = await cluster.kubeconfigFile()
    const start = async (id: Id): Promise<Child> => {
      const file = join(folder, `${id}.yaml`)
      const settings = {
        ...{ id, state: { path: ':memory:' }, xds: { listen: `127.0.0.1:${String(xdsPort(id))}` } },
        admin: { listen: new URL(adminOf(id)).host },
        agents: { listen: `127.0.0.1:1809${String(ids.indexOf(id))}` },
        sources: [{ name: 'cluster', type: 'kubernetes', kubeconfig }],
        manifests: [{ type: 'kubernetes', source: 'cluster' }],
      }
      await writeFile(file, stringify(settings))
      const child = await startProcess(process.execPath, [join(repository, 'src/main.ts'), 'serve', '-c', file])
      t.teardown(() => child.kill())
      await child.until(`${id} is ready`, async () => (await fetch(`${adminOf(id)}/readyz`)).ok, 60_000)
      return child
    }
    const [one, two] = await Promise.all([start('one'), start('two')])
    const holder = async () => (await read<KubeManifest & LeaseBody>(cluster, lease)).spec
    const first = await eventually('somebody leads', async () => {
      const { holderIdentity } = await holder()
      return ids.find(id => holderIdentity.startsWith(id))
    })
    const other = first === 'one' ? 'two' : 'one'

    const front = await startBalancer(t, xdsPort(first))
    const adminPort = 19_000
    const text = bootstrap({
      ...{ nodeId: 'edge-1', cluster: 'test', xds: { host: '127.0.0.1', port: front.port }, protocol: 'delta' as const, adminPort },
    })
    const envoy = await startEnvoy({ bootstrap: JSON.stringify(text), adminPort })
    t.teardown(() => envoy.stop())
    await envoy.untilReady()
    const answered = async (path: string) => (await fetch(`http://127.0.0.1:8080${path}`)).status === 200
    const synced = async (id: Id) => {
      const { items } = (await (await fetch(`${adminOf(id)}/api/v1/proxies`)).json()) as { items: readonly { state: string }[] }
      return items.some(({ state }) => state === 'synced')
    }
    await eventually('it serves', () => answered('/web-29/'))
    await eventually('and is in sync', () => synced(first))
    const changes = () => envoy.stats('cluster_(added|modified|removed)$|listener_(added|modified|removed)$|config_reload$')
    const before = await changes()
    const load = startLoad({ url: 'http://127.0.0.1:8080/web-1/', requestsPerSecond: 60 })
    t.equal(await sent(other), 0)

    await (first === 'one' ? one : two).kill()
    front.switchTo(xdsPort(other))
    await eventually('the other one has it', () => synced(other))
    t.strictSame([...(await changes())], [...before], 'nothing was changed at Envoy')
    const again = await sent(other)
    t.ok(again < 500, `it was sent ${String(again)} bytes again`)

    await cluster.apply(pods('10.77.1.2'))
    await eventually('what changes in the cluster arrives', () => (load.report().instances.get('pod-10-77-1-2') ?? 0) > 5)
    const next = mapping('next', { prefix: '/next/', service: 'web' })
    await cluster.apply(next)
    await eventually('a new route, too', () => answered('/next/'))
    // As if the lease had been given out for a second, not for fifteen: nobody renews it any more.
    const spec = { leaseDurationSeconds: 1 }
    await cluster.request('PATCH', await cluster.pathOf(lease), { spec }, 'application/merge-patch+json')
    await eventually(
      'the other one writes its status once the lease has run out',
      async () => (await read<Status>(cluster, next)).status?.conditions?.some(one => one.type === 'Accepted' && one.status === 'True'),
      60_000,
    )
    t.match(await holder(), { holderIdentity: new RegExp(`^${other}`), leaseTransitions: 1 })
    t.same((await load.stop()).failures, [])
  },
)
