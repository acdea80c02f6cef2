import type { SubsetStep } from '../../ir/assignment.ts'
import type { PoolEndpoint } from '../../table/reader.ts'

/**
 * Which step of a subset an endpoint fits, from 0; -1: none, so it is left out. Keys are those of the metadata; `tag:NAME` with the value
 * "true" asks for a tag (reference/discovery.md 2.6).
 */
export function subsetStep({ winner }: PoolEndpoint, steps: readonly SubsetStep[]): number {
  const { tags, meta } = winner.endpoint
  const has = (key: string, value: string) =>
    meta[key] === value || (value === 'true' && key.startsWith('tag:') && tags.includes(key.slice(4)))
  return steps.findIndex(step => step === 'any' || Object.entries(step).every(([key, value]) => has(key, value)))
}
