import { type PoolRule, poolNamesSource } from '../model/pool-rule.ts'
import type { Settings, SourceSettings } from '../settings/settings.ts'

/** The DNS source for the host names that ServicePools have as members; none: no source. */
export function poolNames(rules: readonly PoolRule[], { defaults }: Pick<Settings, 'defaults'>): readonly SourceSettings[] {
  const names = new Map<string, string>()
  for (const { members } of rules)
    for (const { hostName, services } of members)
      if (hostName !== undefined) for (const service of services) names.set(service, `${hostName.name}:${String(hostName.port)}`)
  if (names.size === 0) return []
  // Sorted: the order of objects is no change of settings.
  const own = { names: Object.fromEntries([...names].sort(([a], [b]) => (a < b ? -1 : 1))) }
  return [{ name: poolNamesSource, type: 'dns', namespace: 'default', addresses: defaults.addresses, own }]
}
