import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify'
import type { SourceGiven } from '../../src/discovery/contract.ts'
import { readEnding, readRegistration, readRenewal } from './body.ts'
import type { LeaseRecord } from './lease.ts'
import { problemOf, RequestFault } from './problem.ts'
import type { VmRules } from './settings.ts'
import type { VmSource } from './vm-source.ts'

/** A body as it arrived: read by the handler, which knows the agent. */
interface Arrived {
  readonly text: string
  readonly at: number
}

interface AgentRoute {
  Params: { agentId: string }
  Querystring: { epoch?: string }
  Body: Arrived | undefined
}

/** Renewals per lease time: at least three chances to be heard (reference/discovery.md 4.1). */
const renewalsPerTtl = 3
const agentIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/

/**
 * The REST routes of agents (interface.md, "Agents, on agents.listen"). Errors are problem JSON (RFC 9457). Handlers are synchronous from the
 * body's arrival to the emission.
 */
export function agentRoutes(source: VmSource, rules: VmRules, given: SourceGiven): FastifyPluginCallback {
  return (app, _options, done) => {
    readBodies(app, source)
    app.setErrorHandler((error, request, reply) => {
      const problem = problemOf(error, rules.bodyLimit)
      if (problem.status >= 500) given.log.error({ err: error, method: request.method, url: request.url }, 'agent request failed')
      return reply.code(problem.status).type('application/problem+json').send(problem)
    })
    const bodyLimit = rules.bodyLimit

    app.put<AgentRoute>('/v1/registrations/:agentId', { bodyLimit }, (request, reply) => {
      const agentId = agentOf(request)
      const body = readRegistration(parse(request.body), given)
      const ttlSeconds = Math.min(rules.maxTtlSeconds, Math.max(rules.minTtlSeconds, body.ttlSeconds ?? rules.defaultTtlSeconds))
      const wish = { agentId, leaseId: randomUUID(), ttlMs: ttlSeconds * 1000, services: body.services }
      const { lease } = source.perform(registry => registry.register(wish, source.now()), arrival(request, source), true)
      return reply.send(grantOf(lease))
    })

    app.post<AgentRoute>('/v1/registrations/:agentId/renew', { bodyLimit }, (request, reply) => {
      const agentId = agentOf(request)
      const body = readRenewal(parse(request.body), given)
      const { lease } = source.perform(registry => registry.renew({ agentId, ...body }, source.now()), arrival(request, source), false)
      return reply.send({ ...grantOf(lease), sequence: lease.sequence })
    })

    app.post<AgentRoute>('/v1/registrations/:agentId/drain', { bodyLimit }, (request, reply) => {
      const agentId = agentOf(request)
      const { epoch, reason } = endingOf(request)
      const why = reason ?? 'asked for by the agent'
      const { lease } = source.perform(registry => registry.drain(agentId, epoch, why), arrival(request, source), true)
      return reply.send(grantOf(lease))
    })

    app.delete<AgentRoute>('/v1/registrations/:agentId', { bodyLimit }, (request, reply) => {
      const agentId = agentOf(request)
      const { epoch } = endingOf(request)
      source.perform(registry => registry.deregister(agentId, epoch, source.now()), arrival(request, source), true)
      return reply.code(204).send()
    })
    done()
  }
}

/** Takes JSON bodies as text, so that the time of arrival is that before parsing, and an empty one is none. */
function readBodies(app: FastifyInstance, source: VmSource): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    const text = typeof body === 'string' ? body : body.toString('utf8')
    done(null, text === '' ? undefined : ({ text, at: source.now() } satisfies Arrived))
  })
}

function parse(body: Arrived | undefined): unknown {
  if (body === undefined) throw new RequestFault('the request has no body', [{ pointer: '', detail: 'must be a JSON object' }])
  try {
    return JSON.parse(body.text) as unknown
  } catch (error) {
    const detail = `is no JSON: ${error instanceof Error ? error.message : String(error)}`
    throw new RequestFault('nothing of it was taken', [{ pointer: '', detail }])
  }
}

function agentOf({ params }: FastifyRequest<AgentRoute>): string {
  if (agentIdPattern.test(params.agentId)) return params.agentId
  const detail = 'must be 1 to 100 letters, digits, dots, colons, underscores and hyphens, the first a letter or digit'
  throw new RequestFault('the agent id in the path is malformed', [{ pointer: '/agentId', detail }])
}

/** The epoch may stand in the body or, for clients that send none with DELETE, in the query. */
function endingOf({ body, query }: FastifyRequest<AgentRoute>): { epoch?: number | undefined; reason?: string | undefined } {
  const ending = readEnding(body === undefined ? undefined : parse(body))
  if (ending.epoch !== undefined || query.epoch === undefined) return ending
  if (!/^[1-9][0-9]{0,15}$/.test(query.epoch)) {
    throw new RequestFault('the query is malformed', [{ pointer: '/epoch', detail: `must be a positive integer, not "${query.epoch}"` }])
  }
  return { ...ending, epoch: Number(query.epoch) }
}

function arrival({ body }: FastifyRequest<AgentRoute>, source: VmSource): number {
  return body?.at ?? source.now()
}

function grantOf({ leaseId, epoch, ttlMs }: LeaseRecord) {
  return { leaseId, epoch, ttlSeconds: ttlMs / 1000, renewAfterSeconds: ttlMs / 1000 / renewalsPerTtl }
}
