import t from 'tap'
import { kubernetesPlugin } from '../../plugins/kubernetes/index.ts'
import { makeGiven, startRun } from '../contract/harness.ts'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'

t.setTimeout(120_000)

const name = 'web'
const pod = (ip: string) => ({ ip, nodeName: 'node-1', targetRef: { kind: 'Pod', name: `web-${ip}`, uid: ip } })

/** What controllers write of a Service where there are no slices. */
function endpoints(ready: readonly string[], notReady: readonly string[], port = 8080): KubeManifest {
  const subset = {
    ...(ready.length === 0 ? {} : { addresses: ready.map(pod) }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.map(pod) }),
    ports: [{ name: 'http', port }],
  }
  return { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace: 'default' }, subsets: [subset] }
}

t.test('3.1 rule 10: an API server without EndpointSlices is read by its Endpoints, until it has slices; never both', async t => {
  // Without slices, the API server's own watch of them never begins.
  const cluster = await startKubeCluster({
    flags: ['--runtime-config=discovery.k8s.io/v1=false'],
    readyPath: '/readyz?exclude=informer-sync',
  })
  t.teardown(() => cluster.stop())
  const service = {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' } },
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  }
  await cluster.apply(service, endpoints(['10.0.0.1', '10.0.0.2'], ['10.0.0.3']))
  const instance = kubernetesPlugin.create({ kubeconfig: await cluster.kubeconfigFile() }, makeGiven())
  const run = startRun(instance.source, { random: Math.random })
  t.teardown(() => run.stop())
  const { recording } = run
  const seen = () =>
    (recording.groups.get('default/web')?.endpoints ?? []).map(one => `${one.address}:${String(one.port)} ${one.health}`).sort()
  const until = async (...wanted: readonly string[]) => {
    await recording.until(() => String(seen()) === String(wanted))
    t.strictSame(seen(), wanted)
  }
  await until('10.0.0.1:8080 healthy', '10.0.0.2:8080 healthy', '10.0.0.3:8080 unhealthy')
  await recording.until(() => recording.syncs > 0)
  const [first] = recording.groups.get('default/web')?.endpoints ?? []
  t.match(first, { portName: 'http', servicePort: 80, protocol: 'tcp' })
  t.notOk(recording.reports.filter(report => report.scope === '').at(-1)?.ok === false, 'that there are no slices is no failure then')

  await cluster.apply(endpoints(['10.0.0.1', '10.0.0.3'], []))
  await until('10.0.0.1:8080 healthy', '10.0.0.3:8080 healthy')
  await cluster.restart()
  await cluster.apply(endpoints(['10.0.0.1'], [], 9090))
  await until('10.0.0.1:9090 healthy')

  // The cluster learns slices: what they say counts, and Endpoints of the same Service are mirrored, so they must not count beside them.
  await cluster.restart([])
  await cluster.apply({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'] }, { addresses: ['10.0.0.7'] }],
    ports: [{ name: 'http', port: 9090 }],
  })
  await until('10.0.0.1:9090 healthy', '10.0.0.7:9090 healthy')
  await cluster.apply(endpoints(['10.0.0.9'], []))
  await cluster.delete({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'web-1', namespace: 'default' } })
  await until()
})
