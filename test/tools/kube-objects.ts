import { type Backend, startBackend } from './http-backend.ts'
import type { KubeManifest } from './kube-cluster.ts'
import type { Teardown } from './local.ts'

/** An endpoint of a slice as a test writes it; further fields (zone, targetRef, …) go into the slice as they are. */
export interface PodEntry {
  readonly address: string
  readonly ready?: boolean
  readonly serving?: boolean
  readonly terminating?: boolean
  readonly more?: Readonly<Record<string, unknown>>
}

/** The port on which the pods of tests listen. */
export const podPort = 9000

/** An EndpointSlice as the controller writes it; its pods are called after their addresses. */
export function endpointSlice(name: string, service: string, pods: readonly PodEntry[], namespace = 'default'): KubeManifest {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: pods.map(({ address, more, ...conditions }) => ({
      addresses: [address],
      conditions,
      targetRef: { kind: 'Pod', name: podName(address), namespace, uid: `uid-of-${address}` },
      ...more,
    })),
    ports: [{ name: 'http', port: podPort, protocol: 'TCP' }],
  }
}

/** What endpointSlice calls a pod. */
export function podName(address: string): string {
  return `pod-${address.replaceAll('.', '-')}`
}

/** A Service whose port 80 leads to the pods' port. */
export function kubeService(name: string, namespace = 'default'): KubeManifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: podPort }] },
  }
}

/** HTTP servers that answer as the pods of endpointSlice, within a network of its own (own-network.ts). They end with the test. */
export async function startPods(t: Teardown, addresses: readonly string[]): Promise<readonly Backend[]> {
  const pods = await Promise.all(addresses.map(address => startBackend(t, podName(address), { address, port: podPort })))
  return pods
}
