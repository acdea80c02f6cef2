import { Type } from '../../src/model/type.ts'
import { IsthmusError } from '../../src/model/errors.ts'

/** Keys of `{ type: vm }` in isthmus.yaml. */
export interface VmSettings {
  readonly store?: { readonly type?: 'embedded' | 'consul' | 'kubernetes' }
  readonly defaultTtlSeconds?: number
  readonly minTtlSeconds?: number
  readonly maxTtlSeconds?: number
  readonly tombstoneSeconds?: number
  readonly bodyLimit?: number
}

/** The settings with their defaults. */
export interface VmRules {
  readonly defaultTtlSeconds: number
  readonly minTtlSeconds: number
  readonly maxTtlSeconds: number
  readonly tombstoneMs: number
  /** Agents that lost their lease with us have registered again after this long. */
  readonly warmingMs: number
  readonly bodyLimit: number
}

const defaults = { ttlSeconds: 30, minTtlSeconds: 1, maxTtlSeconds: 86_400, tombstoneSeconds: 72 * 3600, bodyLimit: 8 * 1024 * 1024 }
const seconds = (description: string) => Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 31_536_000, description }))

export const vmSchema = Type.Object(
  {
    store: Type.Optional(
      Type.Object(
        {
          type: Type.Optional(
            Type.Enum(['embedded', 'consul', 'kubernetes'], { description: 'where leases are kept; only embedded is built (embedded)' }),
          ),
        },
        { additionalProperties: false },
      ),
    ),
    defaultTtlSeconds: seconds(`lease time of a registration that asks for none (${defaults.ttlSeconds})`),
    minTtlSeconds: seconds(`shortest lease time that is granted (${defaults.minTtlSeconds})`),
    maxTtlSeconds: seconds(`longest lease time that is granted (${defaults.maxTtlSeconds})`),
    tombstoneSeconds: seconds(
      `how long an expired lease is kept, unhealthy, before its endpoints are removed (${defaults.tombstoneSeconds})`,
    ),
    bodyLimit: Type.Optional(
      Type.Integer({
        minimum: 1024,
        maximum: 256 * 1024 * 1024,
        description: `largest body of a request in bytes (${defaults.bodyLimit})`,
      }),
    ),
  },
  { additionalProperties: false },
)

/** Fills the defaults in. Throws `settings-invalid` for what does not fit together or is not built. */
export function vmRules(settings: VmSettings, source: string): VmRules {
  const store = settings.store?.type ?? 'embedded'
  if (store !== 'embedded') {
    throw new IsthmusError('settings-invalid', `source ${source}: store.type ${store} is not built yet, leases are kept by "embedded" only`)
  }
  const minTtlSeconds = settings.minTtlSeconds ?? defaults.minTtlSeconds
  const maxTtlSeconds = settings.maxTtlSeconds ?? Math.max(defaults.maxTtlSeconds, minTtlSeconds)
  if (minTtlSeconds > maxTtlSeconds) {
    throw new IsthmusError('settings-invalid', `source ${source}: minTtlSeconds ${minTtlSeconds} is above maxTtlSeconds ${maxTtlSeconds}`)
  }
  const wanted = settings.defaultTtlSeconds ?? defaults.ttlSeconds
  const granted = Math.min(maxTtlSeconds, Math.max(minTtlSeconds, wanted))
  if (settings.defaultTtlSeconds !== undefined && granted !== wanted) {
    throw new IsthmusError(
      'settings-invalid',
      `source ${source}: defaultTtlSeconds ${wanted} is not between minTtlSeconds ${minTtlSeconds} and maxTtlSeconds ${maxTtlSeconds}`,
    )
  }
  return {
    defaultTtlSeconds: granted,
    minTtlSeconds,
    maxTtlSeconds,
    // Agents come every third of the lease time, give or take a fifth; the rest is margin.
    warmingMs: granted * 500,
    tombstoneMs: (settings.tombstoneSeconds ?? defaults.tombstoneSeconds) * 1000,
    bodyLimit: settings.bodyLimit ?? defaults.bodyLimit,
  }
}
