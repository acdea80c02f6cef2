import type { Static, TSchema } from 'typebox'
import { Type } from '../model/type.ts'
import { ledgerCauses } from '../table/ledger.ts'

const closed = { additionalProperties: false }
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'entries per page (1000)' }))
const cursor = Type.Optional(
  Type.String({ pattern: '^\\d{1,15}$', description: 'nextCursor of the page before: the id of its last entry' }),
)
const since = Type.Optional(Type.String({ description: 'a time in ISO 8601, or how long ago: 90s, 15m, 1h, 2d' }))

export const historyQuery = Type.Object({ since, limit, cursor }, closed)
export const eventsQuery = Type.Object(
  { since, limit, cursor, service: Type.Optional(Type.String({ description: 'namespace/name' })) },
  closed,
)
export const streamQuery = Type.Object({ service: Type.Optional(Type.String({ description: 'namespace/name' })) }, closed)
export const differenceQuery = Type.Object(
  {
    from: Type.String({ description: 'a time in ISO 8601, or how long ago' }),
    to: Type.Optional(Type.String({ description: 'the same; now, if left out' })),
  },
  closed,
)

export const seenBody = Type.Object({
  address: Type.String(),
  port: Type.Integer(),
  protocol: Type.String(),
  health: Type.String(),
  presence: Type.String(),
  weight: Type.Integer(),
  served: Type.Boolean(),
  sources: Type.Array(Type.String()),
  reasons: Type.Array(Type.Object({ code: Type.String(), text: Type.String() })),
})

export const entryBody = Type.Object({
  id: Type.Integer({ description: 'counted from 1; what Last-Event-ID takes' }),
  at: Type.String({ description: 'ISO 8601' }),
  revision: Type.Integer({ description: 'of the endpoint table' }),
  service: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  cause: Type.Unsafe<(typeof ledgerCauses)[number]>({ type: 'string', enum: [...ledgerCauses] }),
  sources: Type.Array(Type.String(), { description: 'whose word changed' }),
  actor: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'the user, where it was one' }),
  text: Type.String(),
  before: Type.Array(seenBody, { description: 'the endpoints that changed, as they were; new ones are missing' }),
  after: Type.Array(seenBody, { description: 'the same since then; those that went are missing' }),
  merged: Type.Optional(Type.Integer({ description: 'so many changes in one: there were too many to tell apart' })),
})

export const differenceBody = Type.Object({
  service: Type.String(),
  from: Type.String(),
  to: Type.String(),
  before: Type.Array(seenBody),
  after: Type.Array(seenBody),
})

/** A page of entries, oldest first. */
export function entriesBody<Item extends TSchema>(item: Item) {
  return Type.Object({ items: Type.Array(item), nextCursor: Type.Optional(Type.String()) })
}

export type EntryBody = Static<typeof entryBody>
export type SeenBody = Static<typeof seenBody>
export type DifferenceBody = Static<typeof differenceBody>
