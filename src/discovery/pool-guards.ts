import type { PoolGuards, PoolRule } from '../model/pool-rule.ts'
import type { ServiceKey } from '../model/service-key.ts'

/** What ServicePools say about the guards of the services they take endpoints from; the first rule of a service counts. */
export function poolGuards(rules: readonly PoolRule[]): ReadonlyMap<ServiceKey, PoolGuards> {
  const found = new Map<ServiceKey, PoolGuards>()
  for (const { guards, members } of rules) {
    if (guards === undefined) continue
    for (const { services } of members) for (const service of services) if (!found.has(service)) found.set(service, guards)
  }
  return found
}
