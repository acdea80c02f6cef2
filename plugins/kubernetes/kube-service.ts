import { externalTarget, type ExternalTarget } from './external-name.ts'
import type { KubeObject } from './resource.ts'

/** What is kept of a Service. */
export interface KubeService {
  readonly namespace: string
  readonly name: string
  /** Its own ports by name and protocol: `http/TCP` → 80. */
  readonly ports: ReadonlyMap<string, number>
  /** Of type ExternalName. */
  readonly external?: ExternalTarget
}

/**
 * Reads a Service; ExternalName ones that Consul made (label `consul=true`) do not exist (reference/discovery.md 1.3).
 * @param allow host names that ExternalName ones may lead to; see externalTarget
 */
export function readService(object: KubeObject, allow: readonly string[] = []): KubeService | undefined {
  const { name, namespace = '', labels } = object.metadata
  const spec = (object['spec'] ?? {}) as { type?: unknown; ports?: unknown; externalName?: unknown }
  if (spec.type === 'ExternalName' && labels?.['consul'] === 'true') return undefined
  const ports = new Map<string, number>()
  for (const port of (Array.isArray(spec.ports) ? spec.ports : []) as { name?: unknown; port?: unknown; protocol?: unknown }[]) {
    if (typeof port.port === 'number') ports.set(portKey(port.name, port.protocol), port.port)
  }
  if (spec.type !== 'ExternalName') return { namespace, name, ports }
  return { namespace, name, ports, external: externalTarget(typeof spec.externalName === 'string' ? spec.externalName : '', allow) }
}

/** How a Service's port is found by a slice's, which has its name. */
export function portKey(name: unknown, protocol: unknown): string {
  return `${typeof name === 'string' ? name : ''}/${typeof protocol === 'string' && protocol !== '' ? protocol : 'TCP'}`
}

/** Where a node is. */
export interface KubeNode {
  readonly name: string
  readonly region: string
  readonly zone: string
}

/** Reads the well-known labels of a node. */
export function readNode({ metadata: { name, labels = {} } }: KubeObject): KubeNode {
  return { name, region: labels['topology.kubernetes.io/region'] ?? '', zone: labels['topology.kubernetes.io/zone'] ?? '' }
}
