import type { ManifestKind } from '../../../src/manifests/contract.ts'

/** A kind of the Kubernetes API with the name of its collection. */
export interface KubeResource {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
}

const clusterScoped = new Set(['IngressClass', 'GatewayClass'])

/** The names follow the rule by which all kinds that we read are named. */
export function resourceOf({ apiVersion, kind }: ManifestKind): KubeResource {
  const lower = kind.toLowerCase()
  const plural = /(s|x|ch)$/.test(lower)
    ? `${lower}es`
    : lower.endsWith('y') && !/[aeiou]y$/.test(lower)
      ? `${lower.slice(0, -1)}ies`
      : `${lower}s`
  return { apiVersion, kind, plural, namespaced: !clusterScoped.has(kind) }
}

export const serviceResource: KubeResource = { apiVersion: 'v1', kind: 'Service', plural: 'services', namespaced: true }
export const secretResource: KubeResource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }

/** Path of a collection; `namespace` undefined: of all namespaces. */
export function collectionPath({ apiVersion, plural, namespaced }: KubeResource, namespace: string | undefined): string {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return namespace === undefined || !namespaced ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`
}

/** `mappings.getambassador.io`, as RBAC rules and messages name it. */
export function resourceName({ apiVersion, plural }: KubeResource): string {
  const [group = '', version] = apiVersion.split('/')
  return version === undefined ? plural : `${plural}.${group}`
}
