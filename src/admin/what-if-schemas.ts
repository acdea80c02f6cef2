import type { Static, TSchema } from 'typebox'
import { Type } from '../model/type.ts'
import { overrideActions } from '../model/override.ts'
import { seenBody } from './ledger-schemas.ts'
import { routeBody } from './schemas.ts'

const closed = { additionalProperties: false }
const choice = <const Names extends readonly string[]>(names: Names, description = '') =>
  Type.Unsafe<Names[number]>({ type: 'string', enum: [...names], ...(description === '' ? {} : { description }) })

const file = Type.Object({ file: Type.Optional(Type.String({ description: 'how messages call it' })), text: Type.String() }, closed)

/** What `POST /what-if` takes. All of it happens at once; nothing at all gives no difference. */
export const whatIfRequest = Type.Object(
  {
    manifests: Type.Optional(
      Type.Union([Type.String(), Type.Array(file, { maxItems: 10_000 })], {
        description: 'YAML as it would be written: each object takes the place of the one of its kind, namespace and name',
      }),
    ),
    without: Type.Optional(
      Type.Array(Type.String({ pattern: '^[^/\\s]+/[^/\\s]+/[^/\\s]+$' }), {
        description: 'kind/namespace/name of objects that are deleted',
      }),
    ),
    sources: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String(),
            state: choice(['down', 'gone'], 'down: not reached any more; gone: all that it knows is taken away'),
          },
          closed,
        ),
      ),
    ),
    overrides: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.Optional(Type.String({ description: 'replaces the override of this id' })),
            service: Type.String({ pattern: '^[^/\\s]+/[^/\\s]+$', description: 'namespace/name' }),
            address: Type.String({ description: 'IP:PORT, or [IPv6]:PORT' }),
            action: choice(overrideActions),
            value: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: 'the weight, of action weight' })),
          },
          closed,
        ),
      ),
    ),
    unset: Type.Optional(Type.Array(Type.String(), { description: 'ids of overrides that are taken back' })),
    place: Type.Optional(
      Type.Object(
        { zone: Type.Optional(Type.String()), region: Type.Optional(Type.String()) },
        { ...closed, description: 'shares are those of Envoys there, as their bootstraps say it; left out: of those that do not say' },
      ),
    ),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'longest list in the answer (1000); counts are of all' }),
    ),
  },
  closed,
)

/** One side of a difference: null where it is missing. */
function side<Item extends TSchema>(item: Item) {
  return Type.Union([item, Type.Null()])
}

const counts = Type.Object({ added: Type.Integer(), removed: Type.Integer(), changed: Type.Integer() })
const fields = Type.Array(Type.String(), { description: 'what differs' })
const placedBody = Type.Object({
  ...seenBody.properties,
  priority: Type.Integer(),
  member: Type.Optional(Type.String({ description: 'of the ServicePool' })),
})
const loadBody = Type.Object({
  endpoints: Type.Integer({ description: 'that Envoy is told of' }),
  used: Type.Integer({ description: 'that requests go to' }),
})
const namedBody = Type.Object({ name: Type.String(), change: choice(['added', 'removed', 'changed']), fields })
const shareBody = Type.Object({
  by: choice(['source', 'member', 'zone', 'priority']),
  name: Type.String(),
  before: Type.Number({ description: "percent of its requests, by Envoy's arithmetic on what registries say" }),
  after: Type.Number(),
})
const verdict = Type.Object({
  state: choice(['accepted', 'refused', 'ignored']),
  problems: Type.Array(Type.Object({ path: Type.String(), text: Type.String(), at: Type.String() })),
  notices: Type.Array(Type.String()),
})

const stageBody = Type.Object({
  code: choice(['at-once', 'overdue', 'gone'], 'overdue: sources stayed away for too long; gone: what they knew is gone'),
  texts: Type.Array(Type.String(), { description: 'what happened to sources by then' }),
  differs: Type.Boolean(),
  counts: Type.Object({ endpoints: counts, traffic: counts, clusters: counts, routes: counts, listeners: counts, objects: counts }),
  endpoints: Type.Array(Type.Object({ service: Type.String(), before: side(placedBody), after: side(placedBody) })),
  traffic: Type.Array(
    Type.Object({
      name: Type.String({ description: 'of the assignment: the endpoints of one or more clusters' }),
      service: Type.String(),
      before: side(loadBody),
      after: side(loadBody),
      shares: Type.Array(shareBody),
    }),
  ),
  clusters: Type.Array(namedBody),
  routes: Type.Array(Type.Object({ fields, before: side(routeBody), after: side(routeBody) })),
  listeners: Type.Array(namedBody),
  objects: Type.Array(
    Type.Object({ kind: Type.String(), namespace: Type.String(), name: Type.String(), before: side(verdict), after: side(verdict) }),
  ),
  findings: Type.Array(Type.Object({ code: choice(['object-refused', 'no-endpoints']), subject: Type.String(), text: Type.String() }), {
    description: 'what should keep somebody from doing it',
  }),
})

export const whatIfBody = Type.Object({
  revision: Type.Integer({ description: 'of the endpoint table that it was compared with' }),
  stages: Type.Array(stageBody, { description: 'each compared with what is; later ones take the place of earlier ones' }),
  notes: Type.Array(Type.String(), { description: 'what could not be known' }),
})

export type WhatIfRequest = Static<typeof whatIfRequest>
export type WhatIfBody = Static<typeof whatIfBody>
export type StageBody = Static<typeof stageBody>
