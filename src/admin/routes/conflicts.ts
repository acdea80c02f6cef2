import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import type { Conflict } from '../../table/conflicts.ts'
import { conflictsOf } from '../bodies/conflict.ts'
import { page } from '../paging.ts'
import { conflictBody, type ConflictBody, conflictsQuery, pageBody } from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'

const order = {
  id: (conflict: ConflictBody) => conflict.id,
  keys: {
    // Warnings first.
    severity: (conflict: ConflictBody) => (conflict.severity === 'warning' ? 0 : 1),
    kind: (conflict: ConflictBody) => conflict.kind,
    count: (conflict: ConflictBody) => conflict.count,
  },
}

type Query = Static<typeof conflictsQuery>

/** `GET /conflicts`: what the registries do not agree on. */
export function addConflicts(app: FastifyInstance, context: RouteContext): void {
  app.get<{ Querystring: Query }>(
    '/conflicts',
    {
      schema: {
        summary: 'What the registries do not agree on, and what would end it',
        tags: ['services'],
        querystring: conflictsQuery,
        response: { 200: pageBody(conflictBody) },
      },
    },
    (request, reply) =>
      answer(context, request, reply, {}, () => {
        const found = conflictsOf(context.readers.table).filter(conflict => isWanted(conflict, request.query))
        return page(found.map(bodyOf), order, request.query)
      }),
  )
}

function bodyOf(conflict: Conflict): ConflictBody {
  return { ...conflict, services: [...conflict.services], members: conflict.members.map(one => ({ ...one })) }
}

function isWanted({ kind, severity, services }: Conflict, query: Query): boolean {
  return (
    (query.kind === undefined || query.kind === kind) &&
    (query.severity === undefined || query.severity === severity) &&
    (query.service === undefined || services.some(service => service === query.service))
  )
}
