import type { SourcePlugin } from '../../src/discovery/contract.ts'
import type { ManifestPlugin } from '../../src/manifests/contract.ts'
import { createKubeClient } from './client.ts'
import { kubernetesSource } from './kubernetes-source.ts'
import { kubernetesManifests } from './manifests/kubernetes-manifests.ts'
import { defaultTiming } from './reflector.ts'
import { kubernetesSchema, type KubernetesSettings } from './settings.ts'

/** Pods of one Kubernetes cluster, by its EndpointSlices, and the objects of the configuration that it holds. */
export const kubernetesPlugin: SourcePlugin<KubernetesSettings> & ManifestPlugin<KubernetesSettings> = {
  type: 'kubernetes',
  schema: kubernetesSchema,
  create(settings, given) {
    const { source, watches } = kubernetesSource(settings, given)
    return {
      source,
      watches,
      // A silent watch is begun anew, which is heard of.
      maxQuietSeconds: (settings.watches?.stallSeconds ?? defaultTiming.stallSeconds) + 60,
    }
  },
  manifests({ kubeconfig, context, namespaces = ['*'], watches = {} }, given) {
    const target = {
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(context === undefined || context === null ? {} : { context }),
    }
    return kubernetesManifests(given, () => ({ client: createKubeClient(target), namespaces, timing: watches }))
  },
}
