import type { ManifestKind } from '../../../src/manifests/contract.ts'
import { clusterScopedKinds } from '../../../src/manifests/object.ts'
import type { KubeResource } from '../resource.ts'

/** A resource of the Kubernetes API with the kind of its objects. */
export interface ManifestResource extends KubeResource {
  readonly kind: string
  readonly namespaced: boolean
}

/** The resource of a kind, named by the rule by which all kinds that are read are named. */
export function resourceOf({ apiVersion, kind }: ManifestKind): ManifestResource {
  const [group = '', version] = apiVersion.split('/')
  const lower = kind.toLowerCase()
  const plural = lower.endsWith('s') ? `${lower}es` : `${lower}s`
  const names = version === undefined ? { group: '', version: group } : { group, version }
  return { ...names, kind, plural, namespaced: !clusterScopedKinds.has(kind) }
}

export const serviceResource = resourceOf({ apiVersion: 'v1', kind: 'Service' })
export const secretResource = resourceOf({ apiVersion: 'v1', kind: 'Secret' })

/** `mappings.getambassador.io`, as RBAC rules and messages name it. */
export function resourceName({ group, plural }: KubeResource): string {
  return group === '' ? plural : `${plural}.${group}`
}
