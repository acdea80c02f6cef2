import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import type { Lease } from '../../discovery/contract.ts'
import { page } from '../paging.ts'
import { leaseBody, listQuery, pageBody } from '../schemas.ts'
import { answer, type RouteContext } from './context.ts'

const order = {
  id: (lease: Lease) => `${lease.agentId} ${lease.leaseId}`,
  keys: {
    agentId: (lease: Lease) => lease.agentId,
    state: (lease: Lease) => lease.state,
    ageSeconds: (lease: Lease) => lease.ageSeconds,
  },
}

/** `GET /agents`: leases of VM agents. */
export function addAgents(app: FastifyInstance, context: RouteContext): void {
  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/agents',
    { schema: { summary: 'Leases of VM agents', tags: ['agents'], querystring: listQuery, response: { 200: pageBody(leaseBody) } } },
    (request, reply) => answer(context, request, reply, { beyondTable: true }, () => page(context.readers.leases(), order, request.query)),
  )
}
