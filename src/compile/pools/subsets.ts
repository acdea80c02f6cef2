import type { SubsetStep } from '../../ir/assignment.ts'
import type { ServicePoolSpec } from '../../manifests/schema/service-pool.ts'
import { didYouMean } from '../../model/nearest.ts'

type Subsets = NonNullable<ServicePoolSpec['subsets']>

/** The parts of `service:` before and after `#`, which names a subset of a ServicePool. */
export function splitSubset(text: string): { readonly service: string; readonly subset: string | undefined } {
  const hash = text.indexOf('#')
  return hash < 0 ? { service: text, subset: undefined } : { service: text.slice(0, hash), subset: text.slice(hash + 1) }
}

/**
 * What a subset means, best first: its own endpoints, then those it falls back to.
 * @returns the steps, or a sentence on why there is no such subset
 */
export function subsetSteps(name: string, subsets: Subsets): readonly SubsetStep[] | string {
  const byName = new Map(subsets.map(subset => [subset.name, subset]))
  const steps: SubsetStep[] = []
  for (let next: string | undefined = name; next !== undefined && next !== 'none'; ) {
    if (next === 'any') return [...steps, 'any']
    const subset = byName.get(next)
    if (subset === undefined) {
      const hint = didYouMean(next, byName.keys())
      return `the ServicePool has no subset "${next}"; ${hint === '' ? `it has ${[...byName.keys()].join(', ') || 'none'}` : hint}`
    }
    steps.push(subset.match)
    next = subset.fallback
  }
  return steps
}
