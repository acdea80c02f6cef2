import type { Evidence } from './pool-view.ts'

/**
 * Whether a registry knows an instance only because Isthmus told it (our exports carry `external-source=isthmus`): such a copy lives as long
 * as we believe it, and we would believe it as long as it lives (reference/discovery.md 1.3). Copies that consul-k8s makes are left out by
 * the Consul source.
 */
export function isOurCopy({ endpoint }: Evidence): boolean {
  return endpoint.meta['external-source'] === 'isthmus'
}
