import type { Settings, SourceSettings } from '../settings/settings.ts'

/**
 * A Consul source beside Kubernetes sources leaves out what consul-k8s copied from the namespaces that they read, unless its own settings
 * say otherwise: the pods are known already, and would count twice (reference/discovery.md 1.3).
 */
export function besideKubernetes(source: SourceSettings, settings: Settings): SourceSettings {
  if (source.type !== 'consul' || source.own['ignoreKubernetesSynced'] !== undefined) return source
  const read = settings.sources.filter(({ type }) => type === 'kubernetes').flatMap(({ own }) => namespacesOf(own))
  if (read.length === 0) return source
  return { ...source, own: { ...source.own, ignoreKubernetesSynced: read.includes('*') || read } }
}

function namespacesOf({ namespaces }: SourceSettings['own']): readonly string[] {
  return Array.isArray(namespaces) ? namespaces.map(String) : ['*']
}
