import t from 'tap'
import { kubernetesPlugin } from '../../plugins/kubernetes/index.ts'
import { startKubeCluster } from '../tools/kube-cluster.ts'
import { makeGiven } from './harness.ts'
import { contractSuite } from './suite.ts'

const cluster = await startKubeCluster()
t.teardown(() => cluster.stop())

/** Each service has one slice per port, at one real API server for all rules, which fails by being killed. */
contractSuite('kubernetes', async () => {
  const slice = (service: string, port: number, addresses: readonly string[], name = `${service}-${String(port)}`) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: addresses.map(address => ({ addresses: [address] })),
    ports: [{ name: '', port }],
  })
  const used = new Map<string, Set<number>>()
  const settings = { kubeconfig: await cluster.kubeconfigFile() }
  return {
    source: kubernetesPlugin.create(settings, makeGiven()).source,
    noticesFailure: true,
    async set(service, endpoints) {
      const ports = used.get(service) ?? new Set<number>()
      used.set(service, ports)
      const byPort = Map.groupBy(endpoints, endpoint => endpoint.port)
      for (const [port, list] of byPort) {
        ports.add(port)
        await cluster.apply(
          slice(
            service,
            port,
            list.map(one => one.address),
          ),
        )
      }
      for (const port of ports) if (!byPort.has(port)) await cluster.delete(slice(service, port, []))
    },
    break: () => cluster.kill(),
    mend: () => cluster.restart(),
    setBad: () => cluster.apply({ ...slice('bad', 1, [], 'bad'), addressType: 'FQDN', endpoints: [{ addresses: ['bad.example.com'] }] }),
    stop: () => cluster.request('DELETE', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices').then(() => undefined),
  }
})
