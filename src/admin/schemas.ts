import type { Static, TSchema } from 'typebox'
import { Type } from '../model/type.ts'
import { healths } from '../model/health.ts'
import { conflictKinds, conflictSeverities } from '../table/conflicts.ts'
import { resourceTypes } from '../xds/type-urls.ts'
import { maxLimit } from './paging.ts'

const closed = { additionalProperties: false }
/** A time in ISO 8601, or null when it never was. */
const time = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description })
const seconds = (description: string) => Type.Unsafe<number | null>({ type: ['number', 'null'], description })
const choice = <const Names extends readonly string[]>(names: Names, description = '') =>
  Type.Unsafe<Names[number]>({ type: 'string', enum: [...names], ...(description === '' ? {} : { description }) })
/** Facts whose keys depend on the thing. */
const facts = Type.Unsafe<Readonly<Record<string, unknown>>>({ type: 'object', additionalProperties: true })
/** Keys of every kind of the thing, and those of its own kind as they are. */
const open = { additionalProperties: true }

const blockingKeys = {
  index: Type.Optional(Type.Integer({ minimum: 0, description: 'wait until X-Isthmus-Index is another one than this' })),
  wait: Type.Optional(Type.String({ description: 'longest wait, such as 60s (5m; at most 10m)' })),
}
const pageKeys = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: maxLimit, description: 'items per page (1000)' })),
  cursor: Type.Optional(Type.String({ description: 'nextCursor of the page before' })),
  sort: Type.Optional(Type.String({ description: 'key to sort by, - in front for descending' })),
  ...blockingKeys,
}

/** Query parameters. Unknown ones are refused: a misspelt filter must not give everything. */
export const noQuery = Type.Object({}, closed)
export const blockingQuery = Type.Object(blockingKeys, closed)
export const listQuery = Type.Object(pageKeys, closed)
export const readyQuery = Type.Object({ verbose: Type.Optional(Type.String()) }, closed)
export const servicesQuery = Type.Object(
  {
    ...pageKeys,
    source: Type.Optional(Type.String({ description: 'known to this source' })),
    namespace: Type.Optional(Type.String()),
    health: Type.Optional(choice(healths, 'with at least one such endpoint')),
    q: Type.Optional(Type.String({ description: 'part of namespace/name' })),
  },
  closed,
)
const endpointFilters = {
  source: Type.Optional(Type.String({ description: 'with evidence of this source' })),
  health: Type.Optional(choice(healths)),
  zone: Type.Optional(Type.String()),
  port: Type.Optional(Type.String({ description: 'number or name of a port' })),
  q: Type.Optional(Type.String({ description: 'part of the service, address, id or a tag' })),
}
export const endpointsQuery = Type.Object({ ...pageKeys, namespace: Type.Optional(Type.String()), ...endpointFilters }, closed)
export const serviceEndpointsQuery = Type.Object(
  {
    ...pageKeys,
    ...endpointFilters,
    at: Type.Optional(Type.String({ description: 'as they were then, by the ledger: ISO 8601, or how long ago (15m); no filters then' })),
  },
  closed,
)
export const explainQuery = Type.Object({ address: Type.String({ description: 'IP:PORT, or [IPv6]:PORT' }), ...blockingKeys }, closed)
export const conflictsQuery = Type.Object(
  {
    ...pageKeys,
    service: Type.Optional(Type.String({ description: 'namespace/name' })),
    kind: Type.Optional(choice(conflictKinds)),
    severity: Type.Optional(choice(conflictSeverities)),
  },
  closed,
)
export const objectsQuery = Type.Object(
  {
    ...pageKeys,
    kind: Type.Optional(Type.String()),
    namespace: Type.Optional(Type.String()),
    state: Type.Optional(choice(['accepted', 'refused', 'ignored'])),
  },
  closed,
)
export const routesQuery = Type.Object(
  { ...pageKeys, q: Type.Optional(Type.String({ description: 'part of domain, path or cluster' })) },
  closed,
)

const name = Type.String({ minLength: 1 })
export const sourceParams = Type.Object({ name })
export const serviceParams = Type.Object({ namespace: name, name })
export const proxyParams = Type.Object({ nodeId: name })
export const proxyTypeParams = Type.Object({ nodeId: name, type: choice(resourceTypes) })
/** Without a namespace where the kind has none. */
export const objectParams = Type.Object({ kind: name, namespace: Type.Optional(name), name })

const reasonBody = Type.Object({ code: Type.String(), text: Type.String() })

export const endpointBody = Type.Object({
  service: Type.String({ description: 'namespace/name' }),
  address: Type.String(),
  additionalAddresses: Type.Optional(Type.Array(Type.String(), { description: 'of the other family: the same process' })),
  port: Type.Integer(),
  portName: Type.String(),
  protocol: choice(['tcp', 'udp']),
  source: Type.String({ description: 'the source that decides' }),
  sourceKind: Type.String(),
  id: Type.String(),
  health: choice(healths),
  presence: choice(['live', 'suspect', 'expired']),
  freshnessSeconds: seconds("age of the source's last successful read"),
  weight: Type.Integer(),
  priority: Type.Integer({ description: 'from 0, lower is used first' }),
  member: Type.Optional(Type.String({ description: 'of the ServicePool' })),
  locality: Type.Object({ region: Type.String(), zone: Type.String(), subzone: Type.String() }),
  tags: Type.Array(Type.String()),
  meta: Type.Record(Type.String(), Type.String()),
  served: Type.Boolean({ description: 'whether Envoy is told to send it requests' }),
  evidence: Type.Array(
    Type.Object({
      source: Type.String(),
      sourceKind: Type.String(),
      group: Type.String(),
      id: Type.String(),
      portName: Type.String(),
      health: choice(healths),
      presence: choice(['live', 'suspect', 'expired']),
      weight: Type.Integer(),
      reasons: Type.Array(reasonBody),
    }),
  ),
  reasons: Type.Array(reasonBody),
})

export const serviceBody = Type.Object({
  key: Type.String(),
  namespace: Type.String(),
  name: Type.String(),
  mode: Type.String(),
  sources: Type.Array(Type.String()),
  endpoints: Type.Integer(),
  served: Type.Integer({ description: 'endpoints that take requests' }),
  health: Type.Object(Object.fromEntries(healths.map(health => [health, Type.Integer()])), { description: 'endpoints by health' }),
  priorities: Type.Array(Type.Object({ priority: Type.Integer(), endpoints: Type.Integer(), served: Type.Integer() })),
  conflicts: Type.Integer({ description: 'GET /conflicts?service= lists them' }),
  clusters: Type.Array(Type.String(), { description: 'names of the Envoy clusters that use it' }),
})

export const sourceBody = Type.Object({
  name: Type.String(),
  type: Type.String(),
  state: choice(['syncing', 'live', 'lagging', 'stale', 'expired', 'disabled']),
  lastSuccess: time('last successful read'),
  ageSeconds: seconds('since then'),
  error: Type.Unsafe<{ code: string; text: string; count: number } | null>({
    type: ['object', 'null'],
    properties: { code: { type: 'string' }, text: { type: 'string' }, count: { type: 'integer' } },
  }),
  notices: Type.Array(Type.String()),
  services: Type.Integer(),
  endpoints: Type.Integer(),
  held: Type.Integer({ description: 'endpoints that the guard keeps although the source does not name them any more' }),
  holds: Type.Array(
    Type.Object({
      service: Type.String(),
      rule: choice(['empty', 'shrink']),
      endpoints: Type.Integer(),
      heldSeconds: Type.Number(),
      confirmInSeconds: Type.Number({ description: 'until the source is read again to confirm it' }),
      releaseInSeconds: Type.Number({ description: 'until it is believed unasked' }),
    }),
  ),
  restarts: Type.Integer(),
})

const proxyState = choice(['synced', 'pending', 'rejected', 'disconnected'])
export const proxyBody = Type.Object({
  nodeId: Type.String(),
  cluster: Type.String(),
  version: Type.String(),
  address: Type.String(),
  locality: Type.Object({ region: Type.String(), zone: Type.String() }, { description: 'where it says it is; "": it does not' }),
  connectedAt: time('start of its first open stream'),
  disconnectedAt: time('end of its last stream'),
  streams: Type.Integer(),
  state: proxyState,
  types: Type.Array(
    Type.Object({
      type: choice(resourceTypes),
      protocol: choice(['delta', 'sotw']),
      subscribed: Type.Unsafe<number | 'all'>({ type: ['integer', 'string'], description: 'how many names, or "all"' }),
      sent: Type.Integer({ description: 'responses' }),
      acked: Type.Integer(),
      nacked: Type.Integer(),
      pending: Type.Integer({ description: 'resources sent and not acknowledged, or waiting for others' }),
      lastSentAt: time('last response'),
      sentAgeSeconds: seconds('since then'),
      lastAckAt: time('last acknowledgement'),
      ackAgeSeconds: seconds('since then'),
      lastNack: Type.Unsafe<{ text: string; at: string; code: number; names: readonly string[] } | null>({
        type: ['object', 'null'],
        properties: {
          text: { type: 'string' },
          at: { type: 'string' },
          code: { type: 'integer' },
          names: { type: 'array', items: { type: 'string' } },
        },
      }),
      state: choice(['synced', 'pending', 'rejected']),
    }),
  ),
})

const version = (description: string) => Type.Unsafe<string | null>({ type: ['string', 'null'], description })
export const proxyResourceBody = Type.Object({
  name: Type.String(),
  state: choice(['synced', 'pending', 'rejected', 'waiting']),
  sentVersion: version('what this Envoy was sent last'),
  ackedVersion: version('what it acknowledged last'),
  currentVersion: version('what it should have'),
})

const refKeys = { kind: Type.String(), namespace: Type.String(), name: Type.String(), at: Type.String() }
export const objectBody = Type.Object({
  ...refKeys,
  apiVersion: Type.String(),
  state: choice(['accepted', 'refused', 'ignored']),
  problems: Type.Array(Type.Object({ path: Type.String(), text: Type.String(), at: Type.String() })),
  notices: Type.Array(Type.String(), { description: 'what changes nothing and is worth knowing, such as fields without effect' }),
  rejections: Type.Array(Type.Object({ proxy: Type.String(), resource: Type.String(), text: Type.String() }), {
    description: 'what Envoys refuse of it, in their own words; they go on with what they had',
  }),
  lastGood: Type.Boolean({ description: 'refused, and its last good version goes on serving' }),
})

export const routeBody = Type.Object({
  order: Type.Integer({ description: 'place within its virtual host: the first match wins' }),
  listeners: Type.Array(Type.String()),
  routeConfig: Type.String(),
  virtualHost: Type.String(),
  domains: Type.Array(Type.String()),
  match: Type.Object({ path: Type.Object({ kind: Type.String(), value: Type.String() }, open) }, open),
  action: Type.Object({ kind: Type.String() }, open),
  service: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'the pool behind the cluster, or host:port' }),
  origins: Type.Array(Type.Object(refKeys)),
  coveredBy: Type.Optional(
    Type.Array(Type.Object(refKeys), { description: 'no request reaches it: what these objects made takes them all before' }),
  ),
})

export const conflictBody = Type.Object({
  id: Type.String(),
  kind: choice(conflictKinds),
  severity: choice(conflictSeverities),
  services: Type.Array(Type.String()),
  text: Type.String(),
  fix: Type.String({ description: 'what would end it' }),
  count: Type.Integer({ description: 'endpoints concerned; members names the first of them' }),
  members: Type.Array(
    Type.Object({ service: Type.String(), address: Type.String(), port: Type.Integer(), source: Type.String(), says: Type.String() }),
  ),
})

export const leaseBody = Type.Object({
  agentId: Type.String(),
  leaseId: Type.String(),
  epoch: Type.Integer(),
  state: choice(['up', 'suspect', 'expired', 'draining']),
  services: Type.Array(Type.String()),
  ttlSeconds: Type.Number(),
  ageSeconds: Type.Number(),
  fenced: Type.Array(Type.Object({ place: Type.String(), holder: Type.String() }), {
    description: 'addresses of this agent that another agent registered later, and so holds',
  }),
})

export const explanationBody = Type.Object({
  service: Type.String(),
  address: Type.String(),
  port: Type.Integer(),
  verdict: choice(['served', 'withheld', 'unrouted', 'absent']),
  text: Type.String({ description: 'the verdict as a sentence' }),
  steps: Type.Array(Type.Object({ code: Type.String(), text: Type.String(), source: Type.Optional(Type.String()), data: facts })),
  delivery: Type.Array(
    Type.Object({
      nodeId: Type.String(),
      proxyState,
      cluster: Type.String(),
      state: choice(['synced', 'pending', 'rejected', 'waiting']),
      sentVersion: version(''),
      ackedVersion: version(''),
      currentVersion: version(''),
    }),
  ),
})

export const statusBody = Type.Object({
  id: Type.String(),
  version: Type.String(),
  startedAt: Type.String(),
  uptimeSeconds: Type.Number(),
  revision: Type.Integer(),
  ready: Type.Boolean(),
  counts: Type.Object({
    services: Type.Integer(),
    endpoints: Type.Integer(),
    sources: Type.Integer(),
    proxies: Type.Integer(),
    objects: Type.Object({ accepted: Type.Integer(), refused: Type.Integer(), ignored: Type.Integer(), unreadable: Type.Integer() }),
    routes: Type.Integer(),
    clusters: Type.Integer(),
    leases: Type.Integer(),
  }),
  sources: Type.Array(
    Type.Object({ name: Type.String(), type: Type.String(), state: Type.String(), ageSeconds: seconds(''), error: version('') }),
  ),
  proxies: Type.Array(Type.Object({ nodeId: Type.String(), state: proxyState, streams: Type.Integer() })),
})

export const readyBody = Type.Object({
  ready: Type.Boolean(),
  checks: Type.Optional(Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() }))),
})

/** RFC 9457. */
export const problemBody = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'stable; docs/errors.md lists all' }),
    detail: Type.String(),
    instance: Type.String(),
  },
  { description: 'Problem (RFC 9457)' },
)

/** A page of a list. */
export function pageBody<Item extends TSchema>(item: Item) {
  return Type.Object({ items: Type.Array(item), nextCursor: Type.Optional(Type.String()), total: Type.Integer() })
}

export type EndpointBody = Static<typeof endpointBody>
export type ServiceBody = Static<typeof serviceBody>
export type SourceBody = Static<typeof sourceBody>
export type ProxyBody = Static<typeof proxyBody>
export type ProxyResourceBody = Static<typeof proxyResourceBody>
export type ObjectBody = Static<typeof objectBody>
export type ConflictBody = Static<typeof conflictBody>
export type RouteBody = Static<typeof routeBody>
export type Explanation = Static<typeof explanationBody>
export type StatusBody = Static<typeof statusBody>
