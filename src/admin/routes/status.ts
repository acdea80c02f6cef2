import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { rounded } from '../bodies/endpoint.ts'
import type { AdminReaders } from '../readers.ts'
import { blockingQuery, statusBody, type StatusBody } from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'

/** `GET /status`: everything in short. */
export function addStatus(app: FastifyInstance, context: RouteContext): void {
  app.get<{ Querystring: Static<typeof blockingQuery> }>(
    '/status',
    { schema: { summary: 'The gateway in short', tags: ['gateway'], querystring: blockingQuery, response: { 200: statusBody } } },
    (request, reply) => answer(context, request, reply, { beyondTable: true }, () => statusOf(context.readers)),
  )
}

function statusOf(readers: AdminReaders): StatusBody {
  const { id, version, startedAt, clock, table, sources, proxies, objects } = readers
  const routes = readers.routeTable()
  const objectCounts = { accepted: 0, refused: 0, ignored: 0, unreadable: objects.problems().length }
  for (const { state } of objects.statuses()) objectCounts[state]++
  const sourceStatuses = sources.statuses()
  const proxyStatuses = proxies.proxies()
  return {
    id,
    version,
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.max(0, (clock.wall() - startedAt) / 1000),
    revision: table.revision,
    ready: readers.ready().ready,
    counts: {
      ...table.size,
      sources: sourceStatuses.length,
      proxies: proxyStatuses.length,
      objects: objectCounts,
      routes: routes.routeConfigs.reduce(
        (sum, config) => sum + config.virtualHosts.reduce((part, host) => part + host.routes.length, 0),
        0,
      ),
      clusters: routes.clusters.length,
      leases: readers.leases().length,
    },
    sources: sourceStatuses.map(one => ({
      name: one.name,
      type: one.type,
      state: one.state,
      ageSeconds: rounded(one.ageSeconds),
      error: one.error?.text ?? null,
    })),
    proxies: proxyStatuses.map(({ nodeId, state, streams }) => ({ nodeId, state, streams })),
  }
}
