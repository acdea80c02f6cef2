import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { IsthmusError } from '../../model/errors.ts'
import { didYouMean } from '../../model/nearest.ts'
import { sourceBodyOf } from '../bodies/source.ts'
import { actorOf } from '../actor.ts'
import { page } from '../paging.ts'
import { blockingQuery, listQuery, noQuery, pageBody, sourceBody, type SourceBody, sourceParams } from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'

const order = {
  id: (source: SourceBody) => source.name,
  keys: {
    name: (source: SourceBody) => source.name,
    type: (source: SourceBody) => source.type,
    state: (source: SourceBody) => source.state,
    ageSeconds: (source: SourceBody) => source.ageSeconds ?? Number.MAX_SAFE_INTEGER,
    endpoints: (source: SourceBody) => source.endpoints,
    services: (source: SourceBody) => source.services,
  },
}

/** `GET /sources`, `GET /sources/{name}`, `POST /sources/{name}/resync`, `POST /sources/{name}/release-guard`. */
export function addSources(app: FastifyInstance, context: RouteContext): void {
  const { sources } = context.readers
  const tags = ['sources']
  const did = (cause: 'resync' | 'release-guard', source: string, actor: string, text: string): void =>
    context.readers.record({ service: undefined, cause, sources: [source], actor, text })
  const unknown = (name: string) => {
    const names = sources.statuses().map(source => source.name)
    const hint = didYouMean(name, names)
    return new IsthmusError(
      'source-unknown',
      `there is no source "${name}"; ${hint === '' ? `there are: ${names.join(', ') || 'none'}` : hint}`,
    )
  }

  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/sources',
    { schema: { summary: 'Sources of endpoints and their state', tags, querystring: listQuery, response: { 200: pageBody(sourceBody) } } },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => page(sources.statuses().map(sourceBodyOf), order, request.query)),
  )
  app.get<{ Params: Static<typeof sourceParams>; Querystring: Static<typeof blockingQuery> }>(
    '/sources/:name',
    { schema: { summary: 'One source', tags, params: sourceParams, querystring: blockingQuery, response: { 200: sourceBody } } },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => {
        const status = sources.statuses().find(one => one.name === request.params.name)
        if (status === undefined) throw unknown(request.params.name)
        return sourceBodyOf(status)
      }),
  )
  app.post<{ Params: Static<typeof sourceParams> }>(
    '/sources/:name/resync',
    {
      config: { access: 'operate' },
      schema: {
        summary: 'Read a source anew',
        description:
          'Restarts its run. What it told stays in force; groups that the new run does not repeat are removed once it has synced.',
        tags,
        params: sourceParams,
        querystring: noQuery,
        response: { 202: Type.Object({ name: Type.String(), resync: Type.Literal('started') }) },
      },
    },
    (request, reply) => {
      const { name } = request.params
      if (!sources.resync(name)) throw unknown(name)
      did('resync', name, actorOf(request), `source ${name} is read anew`)
      return reply.code(202).send({ name, resync: 'started' })
    },
  )
  app.post<{ Params: Static<typeof sourceParams> }>(
    '/sources/:name/release-guard',
    {
      config: { access: 'operate' },
      schema: {
        summary: 'Believe a source in what its guard holds',
        description: 'Endpoints that the source does not name any more and that are kept as suspect are removed at once.',
        tags,
        params: sourceParams,
        querystring: noQuery,
        response: { 200: Type.Object({ name: Type.String(), released: Type.Integer({ description: 'endpoints' }) }) },
      },
    },
    request => {
      const { name } = request.params
      const released = sources.releaseGuard(name)
      if (released === undefined) throw unknown(name)
      did('release-guard', name, actorOf(request), `${String(released)} endpoints that the guard of ${name} held were given up`)
      return { name, released }
    },
  )
}
