import type { Static } from 'typebox'
import { Type } from '../model/type.ts'
import { overrideActions } from '../model/override.ts'

const closed = { additionalProperties: false }
const action = Type.Unsafe<(typeof overrideActions)[number]>({ type: 'string', enum: [...overrideActions] })
const time = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description })

/** A year. */
const maxTtlSeconds = 31_536_000

export const overrideParams = Type.Object({
  id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,255}$' }),
})

/** What `PUT /overrides/{id}` takes. */
export const overrideRequest = Type.Object(
  {
    service: Type.String({ pattern: '^[^/\\s]+/[^/\\s]+$', description: 'namespace/name' }),
    address: Type.String({ description: 'IP:PORT, or [IPv6]:PORT' }),
    action,
    value: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000, description: 'the weight, of action weight; 100 is an ordinary instance' }),
    ),
    reason: Type.String({ pattern: '\\S', maxLength: 500, description: 'why' }),
    actor: Type.Optional(Type.String({ pattern: '\\S', maxLength: 100, description: 'who; with tokens it is the name of the token' })),
    ttlSeconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: maxTtlSeconds, description: 'it ends by itself after this time; absent: never' }),
    ),
  },
  closed,
)

/** Who takes something back, where no token says it. */
export const actorRequest = Type.Object({ actor: Type.Optional(Type.String({ pattern: '\\S', maxLength: 100 })) }, closed)

export const overrideBody = Type.Object({
  id: Type.String(),
  service: Type.String({ description: 'namespace/name' }),
  address: Type.String({ description: 'IP:PORT' }),
  action,
  value: Type.Optional(Type.Integer()),
  state: Type.Unsafe<'active' | 'waiting'>({
    type: 'string',
    enum: ['active', 'waiting'],
    description: 'waiting: no source names the endpoint at present',
  }),
  reason: Type.String(),
  actor: Type.String(),
  setAt: time('when it was set'),
  expiresAt: time('when it ends by itself'),
  kept: Type.Boolean({ description: 'whether it outlives a restart: false while it cannot be written' }),
})

export type OverrideBody = Static<typeof overrideBody>
