import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { kubernetesPlugin } from '../../plugins/kubernetes/index.ts'
import type { KubernetesSettings } from '../../plugins/kubernetes/settings.ts'
import { makeGiven, type Recording, startRun } from '../contract/harness.ts'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'
import { startTcpProxy } from '../tools/tcp-proxy.ts'

const cluster = await startKubeCluster({ users: { gateway: [] } })
t.teardown(() => cluster.stop())
t.setTimeout(120_000)
t.afterEach(() => cluster.request('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'))

interface Pod {
  readonly address: string
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
}

function slice(name: string, service: string, pods: readonly Pod[], namespace = 'default'): KubeManifest {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: pods.map(({ address, ...conditions }) => ({ addresses: [address], conditions })),
    ports: [{ name: 'http', port: 8080 }],
  }
}

function addresses(count: number, from = 0): Pod[] {
  return Array.from({ length: count }, (_, index) => ({
    address: `10.${(from + index) >> 16}.${((from + index) >> 8) & 255}.${(from + index) & 255}`,
  }))
}

/** Starts the source; it ends with the test. */
function start(test: Test, settings: KubernetesSettings): { recording: Recording; counts(name: string, resource?: string): number } {
  const instance = kubernetesPlugin.create(settings, makeGiven())
  const run = startRun(instance.source, { random: Math.random })
  test.teardown(() => run.stop())
  const counts = (name: string, resource = 'endpointslices'): number =>
    Number((instance.watches?.().find(one => one.resource === resource) as Record<string, unknown> | undefined)?.[name])
  return { recording: run.recording, counts }
}

function count(recording: Recording, service: string): number {
  return recording.view()[service]?.length ?? 0
}

t.test('2,000 slices of 500 services come in pages; scaling, relabelling and deleting leave nothing behind', async test => {
  const path = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
  for (let from = 0; from < 2000; from += 50) {
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const number = from + index
        return cluster.request('POST', path, slice(`many-${number}`, `s${number % 500}`, addresses(2, number * 2 + 1)))
      }),
    )
  }
  const pages = async (): Promise<number> => {
    const text = await cluster.request<string>('GET', '/metrics')
    const lines = text.matchAll(/^apiserver_request_total\{[^}]*resource="endpointslices"[^}]*verb="LIST"[^}]*\} (\d+)$/gm)
    return [...lines].reduce((sum, line) => sum + Number(line[1]), 0)
  }
  const before = await pages()
  const { recording, counts } = start(test, { kubeconfig: await cluster.kubeconfigFile() })
  await recording.until(() => recording.syncs > 0)
  test.equal((await pages()) - before, 4, 'pages of 500')
  test.equal(recording.groups.size, 500)
  test.ok([...recording.groups.values()].every(group => group.endpoints.length === 8))
  for (const [index, size] of [100, 100, 99].entries())
    await cluster.apply(slice(`web-${index}`, 'web', addresses(size, 200_000 + index * 100)))
  await recording.until(() => count(recording, 'default/web') === 299)
  await cluster.apply(slice('web-2', 'other', addresses(99, 200_200)))
  await recording.until(() => count(recording, 'default/web') === 200 && count(recording, 'default/other') === 99)
  await cluster.apply(slice('web-1', 'web', []))
  await recording.until(() => count(recording, 'default/web') === 100)
  test.ok(recording.groups.has('default/web'), 'one slice gone is not the service gone')
  await cluster.request('DELETE', path)
  await recording.until(() => recording.groups.size === 0)
  test.equal(counts('drift'), 0)
})

t.test('an API server that is killed during churn takes nothing away, and what happened meanwhile arrives', async test => {
  await cluster.apply(slice('web-1', 'web', addresses(5, 1)), slice('old-1', 'old', addresses(1, 100)))
  const { recording, counts } = start(test, { kubeconfig: await cluster.kubeconfigFile(), watches: { relistSeconds: 1 } })
  await recording.until(() => recording.syncs > 0)
  const churn = (async () => {
    for (let step = 2; step < 40; step++) await cluster.apply(slice('web-1', 'web', addresses(step, 1)))
  })().catch(() => undefined)
  await cluster.kill()
  await churn
  const kept = recording.view()
  await recording.until(() => recording.reports.some(report => !report.ok && report.code === 'kubernetes-unreachable'))
  test.same(recording.view(), kept)
  await cluster.restart()
  await cluster.delete(slice('old-1', 'old', []))
  await cluster.apply(slice('web-1', 'web', addresses(50, 1)))
  await recording.until(() => count(recording, 'default/web') === 50 && !recording.groups.has('default/old'))
  const lists = counts('lists')
  await recording.until(() => recording.syncs > 0 && counts('lists') >= lists)
  test.equal(counts('drift'), 0)
})

t.test('a version that etcd has forgotten leads to a list and its difference', async test => {
  await cluster.apply(slice('web-1', 'web', addresses(2, 1)), slice('api-1', 'api', addresses(1, 50)))
  const { recording, counts } = start(test, { kubeconfig: await cluster.kubeconfigFile() })
  await recording.until(() => recording.syncs > 0)
  const emitted = recording.emissions.length
  await cluster.kill()
  await recording.until(() => recording.reports.some(report => !report.ok))
  // The watch ends only once the gateway notices; meanwhile the versions it knows are compacted away.
  await cluster.restart()
  await cluster.apply(slice('web-1', 'web', addresses(3, 1)))
  await cluster.compact()
  await cluster.restart()
  await recording.until(() => count(recording, 'default/web') === 3)
  test.ok(counts('failures') > 0)
  test.ok(
    recording.emissions
      .slice(emitted)
      .flat()
      .every(group => group.endpoints.length > 0),
    'nothing was cleared in between',
  )
})

t.test('a token that is refused is replaced on disk; a missing right is named, costs only its own, and returns', async test => {
  const folder = await mkdtemp(join(cluster.folder, 'token-'))
  const tokenFile = join(folder, 'token')
  await writeFile(tokenFile, 'expired')
  await cluster.apply(slice('web-1', 'web', addresses(1, 1)))
  const role = (resources: readonly string[]): KubeManifest => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'gateway' },
    rules: [
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      { apiGroups: [''], resources, verbs: ['list', 'watch'] },
    ],
  })
  await cluster.apply(role(['pods']), {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'gateway' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'gateway' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'gateway' }],
  })
  const { recording, counts } = start(test, { kubeconfig: await cluster.kubeconfigFile({ user: 'gateway', tokenFile }) })
  await recording.until(() => recording.reports.some(report => !report.ok && report.code === 'kubernetes-unauthorized'))
  await writeFile(tokenFile, 'gateway-token')
  await recording.until(() => recording.syncs > 0)
  test.equal(count(recording, 'default/web'), 1)
  await recording.until(() =>
    recording.reports.some(
      report => !report.ok && report.code === 'kubernetes-forbidden' && /services.*grant list and watch/.test(report.error),
    ),
  )
  await recording.until(() => recording.reports.some(report => report.ok && report.notice?.includes('regions are not known') === true))
  test.equal(recording.groups.get('default/web')?.endpoints[0]?.servicePort, 0)
  await cluster.apply(role(['services', 'nodes']))
  // A list that brings nothing new must not stop what comes after it.
  await recording.until(() => counts('lists', 'services') > 0)
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  })
  await recording.until(() => recording.groups.get('default/web')?.endpoints[0]?.servicePort === 80)
})

t.test('a watch that hangs without an end is noticed by its silence', async test => {
  await cluster.apply(slice('web-1', 'web', addresses(1, 1)))
  const proxy = await startTcpProxy(test, cluster.port)
  const server = `https://127.0.0.1:${proxy.port}`
  const { recording, counts } = start(test, {
    kubeconfig: await cluster.kubeconfigFile({ server }),
    watches: { stallSeconds: 2 },
    nodes: false,
  })
  await recording.until(() => recording.syncs > 0 && counts('watches') > 0)
  await cluster.apply(slice('web-1', 'web', addresses(2, 1)))
  // Then the watch is open: a request that hangs before its answer is another matter.
  await recording.until(() => count(recording, 'default/web') === 2)
  proxy.mode('silent')
  proxy.mode('pass')
  await cluster.apply(slice('web-1', 'web', addresses(3, 1)))
  await recording.until(() => count(recording, 'default/web') === 3)
  test.ok(counts('stalls') > 0)
})

t.test('fifty namespaces, each by itself; a kubeconfig that leads nowhere is named', async test => {
  const names = Array.from({ length: 50 }, (_, index) => `team-${index}`)
  for (const name of names)
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, slice('web-1', 'web', addresses(1, 7), name))
  await cluster.apply(slice('web-1', 'web', addresses(1, 1)))
  const { recording } = start(test, { kubeconfig: await cluster.kubeconfigFile(), namespaces: names, nodes: false })
  await recording.until(() => recording.syncs > 0)
  test.equal(recording.groups.size, 50)
  await cluster.apply(slice('web-1', 'web', addresses(3, 7), 'team-49'))
  await recording.until(() => count(recording, 'team-49/web') === 3)
  const lost = start(test, { kubeconfig: join(cluster.folder, 'nowhere') })
  await lost.recording.until(() => lost.recording.reports.some(report => !report.ok && /nowhere cannot be read/.test(report.error)))
  const file = await cluster.kubeconfigFile()
  const other = JSON.parse(cluster.kubeconfig()) as { clusters: [{ cluster: Record<string, string> }] }
  delete other.clusters[0].cluster['certificate-authority']
  await writeFile(file, JSON.stringify(other))
  const distrusted = start(test, { kubeconfig: file })
  await distrusted.recording.until(() => distrusted.recording.reports.some(report => !report.ok && /certificate/.test(report.error)))
  test.equal(distrusted.recording.syncs, 0)
})
