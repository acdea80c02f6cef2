import { isDeepStrictEqual } from 'node:util'
import type { KubeObject } from '../resource.ts'
import type { KubeStatus } from '../status/desired-status.ts'
import type { ManifestResource } from './resources.ts'

/** What is kept of an object of the cluster. */
export interface Seen {
  readonly content: KubeContent
  /** Undefined for kinds that do not count. */
  readonly generation: number | undefined
  readonly resourceVersion: string | undefined
  readonly status: KubeStatus
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

/** A copy of the whole object that kubectl leaves in it: twice the memory, and nothing of ours. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'
const configAnnotation = 'getambassador.io/config'

/** Undefined: it is none of our business (a Service without objects in its annotation). */
export function see(object: KubeObject, resource: ManifestResource): Seen | undefined {
  const { annotations = {} } = object.metadata
  if (resource.kind === 'Service' && annotations[configAnnotation] === undefined) return undefined
  const { generation, resourceVersion } = object.metadata
  return { content: contentOf(object, resource), generation, resourceVersion, status: statusOf(object) }
}

export function statusOf({ status }: KubeObject): KubeStatus {
  return typeof status === 'object' && status !== null ? (status as KubeStatus) : {}
}

export function sameContent(a: KubeContent, b: KubeContent): boolean {
  return isDeepStrictEqual(a, b)
}

/** Lists of built-in kinds leave apiVersion and kind out of their items: the resource says them. */
function contentOf(object: KubeObject, { group, version, kind, namespaced }: ManifestResource): KubeContent {
  const { name, namespace, labels = {}, annotations = {} } = object.metadata
  const kept = Object.fromEntries(Object.entries(annotations).filter(([key]) => key !== lastApplied))
  return {
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind,
    metadata: { name, ...(namespaced && namespace !== undefined ? { namespace } : {}), labels, annotations: kept },
    ...(kind === 'Secret' ? { data: object['data'], type: object['type'] } : kind === 'Service' ? {} : { spec: object['spec'] }),
  }
}
