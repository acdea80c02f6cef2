import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { IsthmusError } from '../../model/errors.ts'
import { didYouMean } from '../../model/nearest.ts'
import { refText } from '../../model/object-ref.ts'
import { objectBodyOf } from '../bodies/object.ts'
import { routeBodies } from '../bodies/route.ts'
import { page } from '../paging.ts'
import * as schemas from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'

const order = {
  id: (object: schemas.ObjectBody) => `${refText(object)} ${object.at}`,
  keys: {
    kind: (object: schemas.ObjectBody) => object.kind,
    name: (object: schemas.ObjectBody) => object.name,
    namespace: (object: schemas.ObjectBody) => object.namespace,
    state: (object: schemas.ObjectBody) => object.state,
  },
}
/** Routes keep the order in which they are matched. */
const routeOrder = {
  id: ([place]: readonly [number, schemas.RouteBody]) => String(place).padStart(9, '0'),
  keys: { order: ([place]: readonly [number, schemas.RouteBody]) => place },
}

/** `GET /objects`, `/objects/{kind}/{namespace}/{name}`, `GET /routes`: what users asked for, and what became of it. */
export function addObjects(app: FastifyInstance, context: RouteContext): void {
  const { readers } = context
  const { blockingQuery, objectBody, objectParams, objectsQuery, pageBody, routeBody, routesQuery } = schemas
  const tags = ['configuration']
  const problems = Type.Array(Type.Object({ code: Type.String(), at: Type.String(), text: Type.String() }), {
    description: 'files and documents that could not be read at all',
  })
  const warnings = Type.Array(Type.String(), { description: 'what is wrong with the configuration as a whole' })

  app.get<{ Querystring: Static<typeof objectsQuery> }>(
    '/objects',
    {
      schema: {
        summary: 'Objects of the configuration: accepted, refused or ignored, and why',
        tags,
        querystring: objectsQuery,
        response: { 200: Type.Object({ ...pageBody(objectBody).properties, problems, warnings }) },
      },
    },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => {
        const { kind, namespace, state } = request.query
        const wanted = readers.objects
          .statuses()
          .filter(one => kind === undefined || one.ref.kind.toLowerCase() === kind.toLowerCase())
          .filter(one => namespace === undefined || one.ref.namespace === namespace)
          .filter(one => state === undefined || one.state === state)
        return {
          ...page(wanted.map(objectBodyOf), order, request.query),
          problems: readers.objects.problems(),
          warnings: readers.objects.warnings(),
        }
      }),
  )
  for (const path of ['/objects/:kind/:namespace/:name', '/objects/:kind/:name'])
    app.get<{ Params: Static<typeof objectParams>; Querystring: Static<typeof blockingQuery> }>(
      path,
      { schema: { summary: 'One object', tags, params: objectParams, querystring: blockingQuery, response: { 200: objectBody } } },
      (request, reply) =>
        answer(context, request, reply, { beyondTable: true }, () => {
          const id = refText({ namespace: '', ...request.params })
          const statuses = readers.objects.statuses()
          const status = statuses.find(one => refText(one.ref).toLowerCase() === id.toLowerCase())
          if (status !== undefined) return objectBodyOf(status)
          const hint = didYouMean(
            id,
            statuses.map(one => refText(one.ref)),
          )
          throw new IsthmusError('object-unknown', `no ${id} was read${hint === '' ? '' : `; ${hint}`}`)
        }),
    )
  app.get<{ Querystring: Static<typeof routesQuery> }>(
    '/routes',
    {
      schema: {
        summary: 'Effective routes, in the order they are matched',
        tags,
        querystring: routesQuery,
        response: { 200: pageBody(routeBody) },
      },
    },
    (request, reply) =>
      answer(context, request, reply, { beyondTable: true }, () => {
        const text = request.query.q?.toLowerCase()
        const routes = routeBodies(readers.routeTable()).filter(route => text === undefined || mentions(route, text))
        const { items, ...rest } = page([...routes.entries()], routeOrder, request.query)
        return { items: items.map(([, route]) => route), ...rest }
      }),
  )
}

function mentions(route: schemas.RouteBody, text: string): boolean {
  const { cluster } = route.action as { cluster?: string }
  return [...route.domains, route.match.path.value, route.service ?? '', cluster ?? ''].some(part => part.toLowerCase().includes(text))
}
