import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { IsthmusError } from '../../model/errors.ts'
import { serviceKey } from '../../model/service-key.ts'
import { isAt, type TableReader } from '../../table/reader.ts'
import type { OverrideState } from '../../table/overrides.ts'
import { addressText, isoTime } from '../bodies/endpoint.ts'
import { parseAddress } from '../explain.ts'
import { actorRequest, overrideBody, type OverrideBody, overrideParams, overrideRequest } from '../override-schemas.ts'
import { page } from '../paging.ts'
import { invalid } from '../problem.ts'
import { blockingQuery, listQuery, noQuery, pageBody } from '../schemas.ts'
import { actorOf } from '../actor.ts'
import { answer, type RouteContext } from './context.ts'

const order = {
  id: (override: OverrideBody) => override.id,
  keys: {
    id: (override: OverrideBody) => override.id,
    service: (override: OverrideBody) => override.service,
    expiresAt: (override: OverrideBody) => override.expiresAt ?? '9999',
  },
}

type Params = Static<typeof overrideParams>

/** `GET /overrides`, and `GET`, `PUT`, `DELETE /overrides/{id}`: operators' decisions about endpoints. */
export function addOverrides(app: FastifyInstance, context: RouteContext): void {
  const { overrides, table } = context.readers
  const tags = ['overrides']

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/overrides',
    {
      schema: {
        summary: 'What operators decided about endpoints',
        tags,
        querystring: listQuery,
        response: { 200: pageBody(overrideBody) },
      },
    },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () =>
        page(
          overrides.list().map(one => bodyOf(one, table)),
          order,
          request.query,
        ),
      ),
  )
  app.get<{ Params: Params; Querystring: Static<typeof blockingQuery> }>(
    '/overrides/:id',
    { schema: { summary: 'One of them', tags, params: overrideParams, querystring: blockingQuery, response: { 200: overrideBody } } },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => {
        const { id } = request.params
        const found = overrides.list().find(one => one.override.id === id)
        if (found === undefined)
          throw new IsthmusError('override-unknown', `there is no override "${id}"; GET /api/v1/overrides lists them`)
        return bodyOf(found, table)
      }),
  )
  app.put<{ Params: Params; Body: Static<typeof overrideRequest> }>(
    '/overrides/:id',
    {
      config: { access: 'operate' },
      schema: {
        summary: 'Decide about one endpoint, above all sources',
        description:
          "drain: no new requests; exclude: Envoy is not told of it; weight: this weight instead of the registry's; pin: healthy whatever its " +
          'sources say, while one of them names it. An endpoint that nobody names yet is waited for. The same id replaces.',
        tags,
        params: overrideParams,
        querystring: noQuery,
        body: overrideRequest,
        response: { 200: overrideBody },
      },
    },
    request => {
      const { service, address, action, value, reason, ttlSeconds } = request.body
      if (action === 'weight' && value === undefined)
        throw invalid('body "value" is missing: the weight, from 1 to 100000; 100 is an ordinary instance')
      if (action !== 'weight' && value !== undefined) throw invalid(`body "value" belongs to action weight, not to ${action}`)
      const [namespace = '', name = ''] = service.split('/')
      const state = overrides.put({
        id: request.params.id,
        service: serviceKey(namespace, name),
        ...parseAddress(address, 'body'),
        action,
        ...(value === undefined ? {} : { value }),
        reason: reason.trim(),
        actor: actorOf(request, request.body),
        ...(ttlSeconds === undefined ? {} : { ttlMs: ttlSeconds * 1000 }),
      })
      return bodyOf(state, table)
    },
  )
  app.delete<{ Params: Params; Body: Static<typeof actorRequest> | undefined }>(
    '/overrides/:id',
    {
      config: { access: 'operate' },
      schema: { summary: 'Take an override back', tags, params: overrideParams, querystring: noQuery, response: { 200: actorRequest } },
    },
    request => {
      const actor = actorOf(request, request.body)
      overrides.remove(request.params.id, actor)
      return { actor }
    },
  )
}

function bodyOf({ override, setAt, kept }: OverrideState, table: TableReader): OverrideBody {
  const { id, service, action, value, reason, actor, expiresAt, address, port } = override
  const places = table.pool(service)?.endpoints ?? []
  const found = places.some(one => isAt(one, { address, port }) && one.goneAt === undefined)
  return {
    id,
    service,
    address: addressText(override),
    action,
    ...(value === undefined ? {} : { value }),
    state: found ? 'active' : 'waiting',
    reason,
    actor,
    setAt: isoTime(setAt),
    expiresAt: isoTime(expiresAt),
    kept,
  }
}
