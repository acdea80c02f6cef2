import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { poolModes } from '../../model/pool-rule.ts'
import { choice, closed, filled, port, textMap } from './fields.ts'
import { healthChecks } from './mapping-upstream.ts'

const seconds = (most: number, description: string) => Type.Integer({ minimum: 0, maximum: most, description })
const week = 604_800

const anyPort = Type.Union([port(), Type.String({ minLength: 1 })])
const selectorKeys = {
  service: filled(),
  namespace: Type.Optional(filled()),
  source: Type.Optional(filled()),
  port: Type.Optional(anyPort),
}
const filterKeys = { tags: Type.Optional(Type.Array(filled())), meta: Type.Optional(textMap()) }
/** Of one type of source; `any`: of every type, third-party ones included. */
const selector = Type.Object({ ...selectorKeys, ...filterKeys }, closed)
const consul = Type.Object({ ...selectorKeys, ...filterKeys, datacenter: Type.Optional(filled()) }, closed)

/** What an instance's checks mean; of a member: instead of the pool's. */
const health = Type.Object(
  {
    warning: Type.Optional(choice('healthy', 'degraded', 'unhealthy')),
    requiredChecks: Type.Optional(Type.Union([choice('all', 'any'), Type.Integer({ minimum: 1, maximum: 1000 })])),
    ignoreChecks: Type.Optional(Type.Array(filled())),
    nodeChecks: Type.Optional(Type.Union([choice('all', 'none'), Type.Array(filled())])),
  },
  closed,
)

const member = Type.Object(
  {
    name: Type.Optional(filled()),
    kubernetes: Type.Optional(selector),
    consul: Type.Optional(consul),
    vm: Type.Optional(selector),
    file: Type.Optional(selector),
    any: Type.Optional(selector),
    dns: Type.Optional(Type.Object({ name: filled(), port: port() }, closed)),
    weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'percent of the requests, in mode weighted' })),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 127, description: 'lower is used first' })),
    health: Type.Optional(health),
  },
  closed,
)

/** ServicePool (interface.md, "Objects of our own"). */
export const servicePoolSchema = Type.Object(
  {
    mode: Type.Optional(choice(...poolModes)),
    members: Type.Array(member, { minItems: 1 }),
    health: Type.Optional(health),
    panicThreshold: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'percent' })),
    drainSeconds: Type.Optional(seconds(86_400, 'how long a removed endpoint stays as draining')),
    slowStartSeconds: Type.Optional(seconds(86_400, 'how long a new endpoint takes to get its full share')),
    locality: Type.Optional(Type.Object({ prefer: Type.Optional(choice('zone', 'none')) }, closed)),
    subsets: Type.Optional(Type.Array(Type.Object({ name: filled(), match: textMap(), fallback: Type.Optional(filled()) }, closed))),
    guards: Type.Optional(
      Type.Object(
        {
          emptyHoldSeconds: Type.Optional(seconds(week, 'how long a sudden "nothing" is not believed')),
          shrinkPercent: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'a greater loss at once is held' })),
          shrinkHoldSeconds: Type.Optional(seconds(week, 'how long such a loss is held')),
          maxStaleSeconds: Type.Optional(seconds(30 * 86_400, 'age of the last read from which on a source is expired')),
          onStale: Type.Optional(choice('keep', 'degrade', 'drop')),
        },
        closed,
      ),
    ),
    outlierDetection: Type.Optional(
      Type.Object(
        {
          consecutive5xx: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
          baseEjectionSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
          maxEjectionPercent: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
        },
        closed,
      ),
    ),
    healthChecks: Type.Optional(healthChecks),
  },
  closed,
)

export type ServicePoolSpec = Static<typeof servicePoolSchema>
