import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { type ServiceKey, splitServiceKey } from '../../model/service-key.ts'
import type { PoolEndpoint, PoolView } from '../../table/reader.ts'
import { addressText, endpointBodyOf, sourceAges } from '../bodies/endpoint.ts'
import { page } from '../paging.ts'
import type { AdminReaders } from '../readers.ts'
import { type EndpointBody, endpointBody, endpointsQuery, pageBody } from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'

/** Endpoints by service and address; the default keeps the order of the table. */
export const endpointOrder = {
  id: (body: EndpointBody) => `${body.service} ${addressText(body)} ${body.protocol}`,
  keys: {
    service: (body: EndpointBody) => body.service,
    address: (body: EndpointBody) => body.address,
    port: (body: EndpointBody) => body.port,
    health: (body: EndpointBody) => body.health,
    source: (body: EndpointBody) => body.source,
    weight: (body: EndpointBody) => body.weight,
  },
}

type Query = Static<typeof endpointsQuery>

/** `GET /endpoints`: the whole table; one JSON line per endpoint for clients that accept application/x-ndjson. */
export function addEndpoints(app: FastifyInstance, context: RouteContext): void {
  const { readers } = context
  app.get<{ Querystring: Query }>(
    '/endpoints',
    {
      schema: {
        summary: 'Endpoints of all services',
        description: 'With Accept: application/x-ndjson the whole answer in lines, without pages.',
        tags: ['services'],
        querystring: endpointsQuery,
        response: { 200: pageBody(endpointBody) },
      },
    },
    async (request, reply) => {
      const found = await answer(context, request, reply, {}, () => [...wanted(readers, request.query)])
      if (found === undefined) return undefined
      const ages = sourceAges(readers.sources.statuses())
      if (request.headers.accept?.includes('application/x-ndjson') === true)
        return reply.type('application/x-ndjson').send(Readable.from(lines(found, ages, request.query.limit)))
      return page(
        found.map(([pool, endpoint]) => endpointBodyOf(pool, endpoint, ages)),
        endpointOrder,
        request.query,
      )
    },
  )
}

type Found = readonly [PoolView, PoolEndpoint]

/** Views are frozen, so a slow reader gets the table as it was at the start. Many lines go into one chunk. */
function* lines(found: readonly Found[], ages: ReadonlyMap<string, number | undefined>, limit = Infinity): Iterable<string> {
  const last = Math.min(found.length, limit)
  for (let from = 0; from < last; from += 100) {
    const part = found.slice(from, Math.min(from + 100, last))
    yield part.map(([pool, endpoint]) => `${JSON.stringify(endpointBodyOf(pool, endpoint, ages))}\n`).join('')
  }
}

function* wanted(readers: AdminReaders, query: Query): Iterable<Found> {
  for (const pool of readers.table.pools()) {
    if (query.namespace !== undefined && splitServiceKey(pool.service).namespace !== query.namespace) continue
    for (const endpoint of pool.endpoints) if (isWanted(pool.service, endpoint, query)) yield [pool, endpoint]
  }
}

/** Whether an endpoint passes the filters of a query. */
export function isWanted(
  service: ServiceKey,
  endpoint: PoolEndpoint,
  { source, health, zone, port, q }: Omit<Query, 'namespace'>,
): boolean {
  const { id, tags, locality, portName } = endpoint.winner.endpoint
  const text = q?.toLowerCase()
  return (
    (source === undefined || endpoint.evidence.some(one => one.source === source)) &&
    (health === undefined || endpoint.health === health) &&
    (zone === undefined || locality.zone === zone) &&
    (port === undefined || port === portName || port === String(endpoint.port)) &&
    (text === undefined || [service, addressText(endpoint), id, ...tags].some(part => part.toLowerCase().includes(text)))
  )
}
