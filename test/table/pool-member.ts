import type { PoolMember } from '../../src/model/pool-rule.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'

/** A member of a pool that takes all that any source says of these services, unless `change` says otherwise. */
export function poolMember(name: string, services: readonly ServiceKey[], change: Partial<PoolMember> = {}): PoolMember {
  const all = { sourceType: undefined, sources: undefined, port: undefined, tags: [], meta: {}, share: undefined, level: 0 }
  return { name, services, ...all, ...change }
}
