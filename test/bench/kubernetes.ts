import type { KubeCluster, KubeManifest } from '../tools/kube-cluster.ts'
import { baseAddress, changedAddress, endpointPort, type Plan, serviceName } from './plan.ts'
import type { BenchSource } from './sources.ts'

/** Creations under way at a time: more than the API server's own processors gain nothing. */
const writers = 16
const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'

/** A real API server: a Service and `slices` EndpointSlices for each service. A change replaces one address within its first slice. */
export function kubernetesSource(plan: Plan, slices: number, cluster: KubeCluster, kubeconfig: string): BenchSource {
  const perSlice = Math.ceil(plan.endpoints / slices)
  const sliceName = (service: number, slice: number): string => `${serviceName(service)}-${String(slice)}`
  const create = async (service: number): Promise<void> => {
    await cluster.request('POST', '/api/v1/namespaces/default/services', serviceObject(service))
    for (let slice = 0; slice < slices; slice++) {
      const slots = Array.from({ length: Math.min(perSlice, plan.endpoints - slice * perSlice) }, (_, index) => slice * perSlice + index)
      const endpoints = slots.map(slot => endpointObject(plan, service, slot))
      await cluster.request('POST', slicesPath, sliceObject(sliceName(service, slice), service, endpoints))
    }
  }
  return {
    settings: `{ name: cluster-a, type: kubernetes, kubeconfig: "${kubeconfig}" }`,
    async prepare() {
      let next = 0
      const writer = async (): Promise<void> => {
        while (next < plan.services) await create(next++)
      }
      await Promise.all(Array.from({ length: writers }, writer))
    },
    freeze: on => {
      cluster.freeze(on)
    },
    async change(n, service) {
      const patch = [{ op: 'replace', path: '/endpoints/0/addresses/0', value: changedAddress(n) }]
      await cluster.request('PATCH', `${slicesPath}/${sliceName(service, 0)}`, patch, 'application/json-patch+json')
    },
  }
}

function serviceObject(service: number): KubeManifest {
  const name = serviceName(service)
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, clusterIP: 'None', ports: [{ name: 'http', port: 80, targetPort: endpointPort }] },
  }
}

/** As the EndpointSlice controller writes them. */
function sliceObject(name: string, service: number, endpoints: readonly object[]): KubeManifest {
  const labels = { 'kubernetes.io/service-name': serviceName(service), 'endpointslice.kubernetes.io/managed-by': 'bench' }
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'http', port: endpointPort, protocol: 'TCP' }],
  }
}

function endpointObject(plan: Plan, service: number, slot: number): object {
  const name = `${serviceName(service)}-7d4b9c8f6d-${String(slot).padStart(5, '0')}`
  const number = service * plan.endpoints + slot
  return {
    addresses: [baseAddress(plan, service, slot)],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `node-${String(number % 100)}`,
    zone: `zone-${String(number % 3)}`,
    targetRef: { kind: 'Pod', name, namespace: 'default', uid: `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}` },
  }
}
