import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { IsthmusError } from '../../model/errors.ts'
import { didYouMean } from '../../model/nearest.ts'
import type { ProxyStatus } from '../../xds/status.ts'
import { proxyBodyOf, proxyResourceBodyOf } from '../bodies/proxy.ts'
import { page } from '../paging.ts'
import * as schemas from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'

const order = {
  id: (proxy: schemas.ProxyBody) => proxy.nodeId,
  keys: {
    nodeId: (proxy: schemas.ProxyBody) => proxy.nodeId,
    state: (proxy: schemas.ProxyBody) => proxy.state,
    cluster: (proxy: schemas.ProxyBody) => proxy.cluster,
    connectedAt: (proxy: schemas.ProxyBody) => proxy.connectedAt ?? '',
  },
}
const resourceOrder = {
  id: (resource: schemas.ProxyResourceBody) => resource.name,
  keys: {
    name: (resource: schemas.ProxyResourceBody) => resource.name,
    state: (resource: schemas.ProxyResourceBody) => resource.state,
  },
}

/** `GET /proxies` and below: what each Envoy was sent and has acknowledged. */
export function addProxies(app: FastifyInstance, context: RouteContext): void {
  const { proxies, clock } = context.readers
  const { blockingQuery, listQuery, pageBody, proxyBody, proxyParams, proxyResourceBody, proxyTypeParams } = schemas
  const tags = ['proxies']
  const demand = (nodeId: string): ProxyStatus => {
    const proxy = proxies.proxy(nodeId)
    if (proxy !== undefined) return proxy
    const hint = didYouMean(
      nodeId,
      proxies.proxies().map(one => one.nodeId),
    )
    throw new IsthmusError(
      'proxy-unknown',
      `no Envoy with node id "${nodeId}" is connected or was within the hour${hint === '' ? '' : `; ${hint}`}`,
    )
  }

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/proxies',
    { schema: { summary: 'Envoys and how far they are', tags, querystring: listQuery, response: { 200: pageBody(proxyBody) } } },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => {
        const now = clock.wall()
        return page(
          proxies.proxies().map(proxy => proxyBodyOf(proxy, now)),
          order,
          request.query,
        )
      }),
  )
  app.get<{ Params: Static<typeof proxyParams>; Querystring: Static<typeof blockingQuery> }>(
    '/proxies/:nodeId',
    { schema: { summary: 'One Envoy', tags, params: proxyParams, querystring: blockingQuery, response: { 200: proxyBody } } },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => proxyBodyOf(demand(request.params.nodeId), clock.wall())),
  )
  app.get<{ Params: Static<typeof proxyTypeParams>; Querystring: Static<typeof listQuery> }>(
    '/proxies/:nodeId/resources/:type',
    {
      schema: {
        summary: 'Resources of one type at one Envoy',
        tags,
        params: proxyTypeParams,
        querystring: listQuery,
        response: { 200: pageBody(proxyResourceBody) },
      },
    },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => {
        const { nodeId, type } = request.params
        demand(nodeId)
        return page(proxies.resources(nodeId, type).map(proxyResourceBodyOf), resourceOrder, request.query)
      }),
  )
}
