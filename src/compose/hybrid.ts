import type { Settings, SourceSettings } from '../settings/settings.ts'

/**
 * A Consul source beside a Kubernetes source that reads all namespaces leaves out what consul-k8s copied from a cluster, unless its own
 * settings say otherwise: the pods are known already, and would count twice (reference/discovery.md 1.3).
 */
export function besideKubernetes(source: SourceSettings, settings: Settings): SourceSettings {
  if (source.type !== 'consul' || source.own['ignoreKubernetesSynced'] !== undefined) return source
  const readsAll = ({ type, own }: SourceSettings): boolean => {
    const namespaces = own['namespaces']
    return type === 'kubernetes' && (!Array.isArray(namespaces) || namespaces.includes('*'))
  }
  return settings.sources.some(readsAll) ? { ...source, own: { ...source.own, ignoreKubernetesSynced: true } } : source
}
