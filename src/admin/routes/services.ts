import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { IsthmusError } from '../../model/errors.ts'
import { nearest } from '../../model/nearest.ts'
import { type ServiceKey, serviceKey, splitServiceKey } from '../../model/service-key.ts'
import type { PoolView } from '../../table/reader.ts'
import { conflictCounts } from '../bodies/conflict.ts'
import { endpointBodyOf, sourceAges } from '../bodies/endpoint.ts'
import { clustersByService, serviceBodyOf } from '../bodies/service.ts'
import { explain, parseAddress } from '../explain.ts'
import { endpointsAt, pastTime } from '../past.ts'
import { page } from '../paging.ts'
import type { AdminReaders } from '../readers.ts'
import * as schemas from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'
import { endpointOrder, isWanted as isWantedEndpoint } from './endpoints.ts'

const order = {
  id: (service: schemas.ServiceBody) => service.key,
  keys: {
    key: (service: schemas.ServiceBody) => service.key,
    name: (service: schemas.ServiceBody) => service.name,
    endpoints: (service: schemas.ServiceBody) => service.endpoints,
    served: (service: schemas.ServiceBody) => service.served,
  },
}

type ServiceParams = Static<typeof schemas.serviceParams>
type ServicesQuery = Static<typeof schemas.servicesQuery>

/** `GET /services` and what hangs below one: `/endpoints`, `/explain`. */
export function addServices(app: FastifyInstance, context: RouteContext): void {
  const { readers } = context
  const tags = ['services']
  const {
    blockingQuery,
    endpointBody,
    explainQuery,
    explanationBody,
    pageBody,
    serviceBody,
    serviceEndpointsQuery,
    serviceParams,
    servicesQuery,
  } = schemas

  app.get<{ Querystring: ServicesQuery }>(
    '/services',
    { schema: { summary: 'Services and what they have', tags, querystring: servicesQuery, response: { 200: pageBody(serviceBody) } } },
    (request, reply) =>
      answer(context, request, reply, {}, () => {
        const clusters = clustersByService(readers)
        const conflicts = conflictCounts(readers.table)
        const pools = [...readers.table.pools()].filter(pool => isWanted(pool, request.query))
        return page(
          pools.map(pool => serviceBodyOf(pool, clusters.get(pool.service) ?? [], conflicts.get(pool.service) ?? 0)),
          order,
          request.query,
        )
      }),
  )
  app.get<{ Params: ServiceParams; Querystring: Static<typeof blockingQuery> }>(
    '/services/:namespace/:name',
    { schema: { summary: 'One service', tags, params: serviceParams, querystring: blockingQuery, response: { 200: serviceBody } } },
    (request, reply) => {
      const key = keyOf(request.params)
      poolOf(key, readers)
      return answer(context, request, reply, { service: key }, () =>
        serviceBodyOf(poolOf(key, readers), clustersByService(readers).get(key) ?? [], conflictCounts(readers.table).get(key) ?? 0),
      )
    },
  )
  app.get<{ Params: ServiceParams; Querystring: Static<typeof serviceEndpointsQuery> }>(
    '/services/:namespace/:name/endpoints',
    {
      schema: {
        summary: 'Endpoints of one service',
        tags,
        params: serviceParams,
        querystring: serviceEndpointsQuery,
        response: { 200: pageBody(endpointBody) },
      },
    },
    async (request, reply) => {
      const key = keyOf(request.params)
      const { at } = request.query
      if (at !== undefined) {
        const items = await endpointsAt(readers, key, pastTime(at, 'at', readers.clock.wall()))
        // What the ledger keeps of an endpoint is less than what is known of one that is there.
        return reply.serializer(JSON.stringify).send({ items: items.map(one => ({ service: key, ...one })), total: items.length })
      }
      poolOf(key, readers)
      return answer(context, request, reply, { service: key }, () => {
        const ages = sourceAges(readers.sources.statuses())
        const pool = poolOf(key, readers)
        const found = pool.endpoints.filter(endpoint => isWantedEndpoint(key, endpoint, request.query))
        return page(
          found.map(endpoint => endpointBodyOf(pool, endpoint, ages)),
          endpointOrder,
          request.query,
        )
      })
    },
  )
  app.get<{ Params: ServiceParams; Querystring: Static<typeof explainQuery> }>(
    '/services/:namespace/:name/explain',
    {
      schema: {
        summary: 'Why an address gets requests as this service, or does not',
        description: 'Answers for addresses and services that nobody knows, too: the steps then say where they were looked for.',
        tags,
        params: serviceParams,
        querystring: explainQuery,
        response: { 200: explanationBody },
      },
    },
    (request, reply) => {
      const service = keyOf(request.params)
      const address = parseAddress(request.query.address)
      return answer(context, request, reply, { service, beyondTable: true }, () => explain(service, address, readers))
    },
  )
}

function keyOf({ namespace, name }: ServiceParams): ServiceKey {
  return serviceKey(namespace, name)
}

function poolOf(key: ServiceKey, readers: AdminReaders): PoolView {
  const pool = readers.table.pool(key)
  if (pool !== undefined) return pool
  const near = nearest(
    key,
    [...readers.table.pools()].map(one => one.service),
  )
  const hint = near.length === 0 ? '' : `; near names: ${near.join(', ')}`
  throw new IsthmusError('service-unknown', `no source has ever named the service ${key}${hint}`)
}

function isWanted(pool: PoolView, { source, namespace, health, q }: ServicesQuery): boolean {
  return (
    (source === undefined || pool.sources.includes(source)) &&
    (namespace === undefined || splitServiceKey(pool.service).namespace === namespace) &&
    (health === undefined || pool.endpoints.some(endpoint => endpoint.health === health)) &&
    (q === undefined || pool.service.toLowerCase().includes(q.toLowerCase()))
  )
}
