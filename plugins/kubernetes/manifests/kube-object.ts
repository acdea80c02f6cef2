import { isDeepStrictEqual } from 'node:util'
import type { KubeResource } from './resources.ts'

/** An object of the Kubernetes API as its JSON says, as far as we rely on it. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly resourceVersion?: string
    readonly generation?: number
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
  readonly status?: unknown
  readonly data?: unknown
  readonly type?: unknown
}

/** What of an object configures the gateway. A change of anything else (status, managedFields, another's bookkeeping) is no change. */
export interface KubeContent {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
  readonly data?: unknown
  readonly type?: unknown
}

/** A copy of the whole object that kubectl leaves in it: twice the memory, and a change of it is no change of ours. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

/** Lists of built-in kinds leave apiVersion and kind out of their items: the resource says them. */
export function contentOf(object: KubeObject, { apiVersion, kind, namespaced }: KubeResource): KubeContent {
  const { name, namespace, labels = {}, annotations = {} } = object.metadata
  const { [lastApplied]: _, ...kept } = annotations
  return {
    apiVersion,
    kind,
    // Objects of the whole cluster stand in no namespace; messages name them under "default".
    metadata: { name, ...(namespaced && namespace !== undefined ? { namespace } : {}), labels, annotations: kept },
    ...(kind === 'Secret' ? { data: object.data, type: object.type } : kind === 'Service' ? {} : { spec: object.spec }),
  }
}

export function sameContent(a: KubeContent, b: KubeContent): boolean {
  return isDeepStrictEqual(a, b)
}
