import type { SourcePlugin } from '../../src/discovery/contract.ts'
import { kubernetesSource } from './kubernetes-source.ts'
import { defaultTiming } from './reflector.ts'
import { kubernetesSchema, type KubernetesSettings } from './settings.ts'

/** Pods of one Kubernetes cluster, by its EndpointSlices. */
export const kubernetesPlugin: SourcePlugin<KubernetesSettings> = {
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
}
