import type { ConsulSource } from '../compile/emissary/input.ts'
import type { KnownSource } from '../compile/pools/pool-rules.ts'
import type { Settings } from '../settings/settings.ts'

/** For ServicePools, which name sources. */
export function knownSources(settings: Settings): readonly KnownSource[] {
  return settings.sources.map(({ name, type, namespace, own }) => ({
    name,
    type,
    namespace,
    datacenter: typeof own['datacenter'] === 'string' ? own['datacenter'] : undefined,
  }))
}

/** For ConsulResolvers. */
export function consulSources(settings: Settings): readonly ConsulSource[] {
  return settings.sources
    .filter(source => source.type === 'consul')
    .map(({ name, namespace, own }) => ({
      name,
      namespace,
      address: typeof own['address'] === 'string' ? own['address'] : 'http://127.0.0.1:8500',
      datacenter: typeof own['datacenter'] === 'string' ? own['datacenter'] : undefined,
    }))
}
