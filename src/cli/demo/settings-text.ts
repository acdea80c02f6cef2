import { stringify } from 'yaml'

export interface DemoPorts {
  readonly http: number
  readonly xds: number
  readonly admin: number
  readonly agents: number
  readonly envoyAdmin: number
}

/** The isthmus.yaml of the demo: the very file a user would write, with this demo's ports. */
export function demoSettings(
  ports: DemoPorts,
  given: { consulUrl: string; envoyPath: string; manifests: string; kubeconfig?: string },
): string {
  const local = (port: number): string => `127.0.0.1:${String(port)}`
  return stringify({
    id: 'demo',
    state: { path: ':memory:' },
    xds: { listen: local(ports.xds) },
    admin: { listen: local(ports.admin) },
    agents: { listen: local(ports.agents) },
    envoy: { mode: 'supervise', path: given.envoyPath, adminPort: ports.envoyAdmin, drainSeconds: 1 },
    // Everything of the demo runs on this machine.
    defaults: { addresses: { allow: ['127.0.0.0/8'] } },
    manifests: [
      { type: 'directory', path: given.manifests },
      ...(given.kubeconfig === undefined ? [] : [{ type: 'kubernetes', source: 'cluster-a' }]),
    ],
    sources: [
      { name: 'dc1', type: 'consul', address: given.consulUrl },
      { name: 'vms', type: 'vm' },
      ...(given.kubeconfig === undefined ? [] : [{ name: 'cluster-a', type: 'kubernetes', kubeconfig: given.kubeconfig }]),
    ],
    log: { level: 'warn' },
  })
}

/** The manifests of the demo: one Listener, one Host, and a Mapping to a service that two registries know. */
export function demoManifests(port: number): string {
  const objects = [
    {
      apiVersion: 'getambassador.io/v3alpha1',
      kind: 'Listener',
      metadata: { name: 'http', namespace: 'default' },
      spec: { port, protocol: 'HTTP', securityModel: 'INSECURE', hostBinding: { namespace: { from: 'ALL' } } },
    },
    {
      apiVersion: 'getambassador.io/v3alpha1',
      kind: 'Host',
      metadata: { name: 'any', namespace: 'default' },
      spec: { hostname: '*', requestPolicy: { insecure: { action: 'Route' } } },
    },
    {
      apiVersion: 'getambassador.io/v3alpha1',
      kind: 'Mapping',
      metadata: { name: 'hello', namespace: 'default' },
      spec: { hostname: '*', prefix: '/hello/', service: 'hello' },
    },
  ]
  return objects.map(object => stringify(object)).join('---\n')
}
