import t, { type Test } from 'tap'
import { kubernetesPlugin } from '../../plugins/kubernetes/index.ts'
import type { KubernetesSettings } from '../../plugins/kubernetes/settings.ts'
import { makeGiven, type Recording, startRun } from '../contract/harness.ts'
import { makeTestClock } from '../contract/test-clock.ts'
import { startDnsServer } from '../tools/dns-server.ts'
import { type KubeManifest, startKubeCluster } from '../tools/kube-cluster.ts'

const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())
t.setTimeout(120_000)
t.afterEach(async () => {
  await cluster.request('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices')
  for (const service of created.splice(0)) await cluster.delete(service)
})
const created: KubeManifest[] = []

async function applyService(name: string, spec: object, labels: object = {}): Promise<void> {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name, labels }, spec }
  created.push(service)
  await cluster.apply(service)
}

function slice(name: string, service: string, endpoints: readonly object[], more: object = {}): KubeManifest {
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'http', port: 8080 }] },
    metadata: { name, labels: { 'kubernetes.io/service-name': service } },
    endpoints,
    ...more,
  }
}

const pod = (address: string, uid: string, conditions: object = {}, more: object = {}) => ({
  ...{ addresses: [address], conditions, ...more },
  targetRef: { kind: 'Pod', name: `pod-${uid}`, namespace: 'default', uid },
})

async function follow(
  test: Test,
  settings: Partial<KubernetesSettings> = {},
  clock?: ReturnType<typeof makeTestClock>,
): Promise<Recording> {
  const { source } = kubernetesPlugin.create({ kubeconfig: await cluster.kubeconfigFile(), ...settings }, makeGiven())
  const run = startRun(source, { random: Math.random, ...(clock === undefined ? {} : { clock }) })
  test.teardown(() => run.stop())
  await run.recording.until(() => run.recording.syncs > 0)
  return run.recording
}

const endpoints = (recording: Recording, service = 'default/web') => recording.groups.get(service)?.endpoints ?? []
const notices = (recording: Recording) => recording.reports.flatMap(one => (one.ok && one.notice !== undefined ? [one.notice] : []))

t.test('both families of a pod are one endpoint; Service ports, zones of slices, regions of nodes (3.1 rules 6 to 8)', async test => {
  const labels = { 'topology.kubernetes.io/region': 'eu', 'topology.kubernetes.io/zone': 'eu-1' }
  await cluster.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels } })
  test.teardown(() => cluster.delete({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } }))
  await applyService('web', { clusterIP: 'None', selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'main' }] })
  const at = { nodeName: 'n1' }
  await cluster.apply(
    slice('web-4', 'web', [pod('10.0.0.1', 'a', {}, { ...at, zone: 'eu-2' }), pod('10.0.0.2', 'b', {}, at)]),
    slice('web-6', 'web', [pod('fd00::1', 'a', {}, { ...at, zone: 'eu-2' }), pod('fd00::3', 'c')], { addressType: 'IPv6' }),
  )
  const recording = await follow(test)
  test.match(endpoints(recording), [
    { address: '10.0.0.1', additionalAddresses: ['fd00::1'], servicePort: 80, port: 8080, locality: { region: 'eu', zone: 'eu-2' } },
    { address: '10.0.0.2', additionalAddresses: [], locality: { region: 'eu', zone: 'eu-1' } },
    { address: 'fd00::3', locality: { region: '', zone: '' } },
  ])
  test.equal(endpoints(recording).length, 3)
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', labels: { ...labels, 'topology.kubernetes.io/region': 'us' } },
  })
  await recording.until(() => endpoints(recording)[1]?.locality.region === 'us')
  test.equal(endpoints(recording)[2]?.locality.region, '')
})

t.test(
  'slices of any owner; a rolling move has an endpoint in two; the last resort is told from the stopped (3.1 rules 1 to 5)',
  async test => {
    // Without a selector: whoever wrote the slices.
    await applyService('web', { clusterIP: 'None', ports: [{ port: 80 }] })
    const leaving = { ready: false, serving: true, terminating: true }
    await cluster.apply(
      slice('mine', 'web', [pod('10.0.0.1', 'a', leaving), pod('10.0.0.2', 'b', { ready: false, serving: false, terminating: true })]),
      slice('theirs', 'web', [pod('10.0.0.3', 'c', { ready: true })]),
    )
    const recording = await follow(test)
    const codes = () => Object.fromEntries(endpoints(recording).map(one => [one.address, `${one.health} ${one.reasons[0]?.code ?? ''}`]))
    const before = { '10.0.0.1': 'draining serving-terminating', '10.0.0.2': 'unhealthy terminating-not-serving', '10.0.0.3': 'healthy ' }
    test.same(codes(), before)
    // The pod that is ready moves into the other slice, where it is said to be ready once more: one endpoint.
    await cluster.apply(slice('theirs', 'web', [pod('10.0.0.3', 'c', leaving), pod('10.0.0.4', 'd')]))
    await cluster.apply(slice('mine', 'web', [pod('10.0.0.1', 'a', leaving), pod('10.0.0.3', 'c', { ready: true })]))
    await recording.until(() => codes()['10.0.0.4'] !== undefined && codes()['10.0.0.2'] === undefined)
    test.same(codes(), { '10.0.0.1': before['10.0.0.1'], '10.0.0.3': 'draining terminating', '10.0.0.4': 'healthy ' })
    // Neither the Service nor one of its slices is what keeps the other slice's endpoints.
    await cluster.delete(slice('theirs', 'web', []))
    await cluster.delete({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } })
    await recording.until(() => codes()['10.0.0.4'] === undefined)
    test.same(codes(), { '10.0.0.1': before['10.0.0.1'], '10.0.0.3': 'healthy ' })
  },
)

t.test('ExternalName: only hosts that are allowed, their addresses as DNS says them, kept while it does not answer (3.2)', async test => {
  const dns = await startDnsServer({
    'bare.corp.example': ['192.0.2.7'],
    'db.corp.example': ['192.0.2.1', '2001:db8::1'],
    'odd.corp.example': ['127.0.0.1', '192.0.2.9'],
  })
  test.teardown(() => dns.stop())
  const ports = [{ name: 'sql', port: 5432 }]
  await applyService('db', { type: 'ExternalName', externalName: 'db.corp.example', ports })
  await applyService('odd', { type: 'ExternalName', externalName: 'odd.corp.example', ports })
  await applyService('other', { type: 'ExternalName', externalName: 'db.elsewhere.example', ports })
  await applyService('loop', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local', ports })
  await applyService('bare', { type: 'ExternalName', externalName: 'bare.corp.example' })
  await applyService('mirror', { type: 'ExternalName', externalName: 'mirror.corp.example', ports }, { consul: 'true' })
  const clock = makeTestClock()
  const externalNames = { allow: ['*.corp.example'], servers: [dns.address] }
  const recording = await follow(test, { externalNames, nodes: false }, clock)
  test.same(recording.view(), { 'default/db': ['192.0.2.1:5432', '2001:db8::1:5432'], 'default/odd': ['192.0.2.9:5432'] })
  test.match(endpoints(recording, 'default/db')[0], { portName: 'sql', servicePort: 5432, protocol: 'tcp' })
  test.match(notices(recording).at(-1), /^3 parts of slices or Services are left out: default\//)

  const pass = async (until: () => boolean): Promise<void> => {
    while (!until()) {
      clock.advance(6000)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
  dns.hosts.set('db.corp.example', ['192.0.2.2'])
  await pass(() => recording.view()['default/db']?.join() === '192.0.2.2:5432')
  test.equal(recording.causes.at(-1), 'absent', 'what DNS no longer says is no witness')
  dns.failing = true
  await pass(() => notices(recording).at(-1)?.includes('cannot be asked for, the last known stay') === true)
  test.same(recording.view()['default/db'], ['192.0.2.2:5432'])
  dns.failing = false
  await pass(() => notices(recording).at(-1)?.includes('cannot be asked for') === false)
  await applyService('db', { type: 'ExternalName', externalName: 'gone.elsewhere.example', ports })
  await recording.until(() => recording.view()['default/db'] === undefined)
})

t.test('without an allow list no host name is asked for', async test => {
  await applyService('db', { type: 'ExternalName', externalName: 'db.corp.example', ports: [{ port: 5432 }] })
  const recording = await follow(test)
  test.same(recording.view(), {})
  await recording.until(() => notices(recording).some(one => one.includes('list it under externalNames.allow')))
})
