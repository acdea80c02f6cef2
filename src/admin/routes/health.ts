import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import type { AdminReaders } from '../readers.ts'
import { noQuery, readyBody, readyQuery } from '../schemas.ts'

/**
 * Probes and metrics, open to everybody: `/livez` (the event loop answers), `/readyz` (answers go out; an outage of a source does not
 * count), `/startupz` (was ready once), `/metrics`, and Emissary's two probes.
 */
export function addHealth(app: FastifyInstance, readers: AdminReaders): void {
  const config = { access: 'open' } as const
  const text = Type.String()
  let started = false
  const isReady = () => {
    const { ready } = readers.ready()
    started ||= ready
    return ready
  }
  const schema = (summary: string) => ({ summary, tags: ['health'], querystring: noQuery, response: { 200: text, 503: text } })
  const probe = (path: string, summary: string, ok: () => boolean, yes: string, no: string) => {
    app.get(path, { config, schema: schema(summary) }, (_request, reply) =>
      ok() ? reply.type('text/plain').send(yes) : reply.code(503).type('text/plain').send(no),
    )
  }

  probe('/livez', 'Alive', () => true, 'ok\n', '')
  probe('/startupz', 'Was ready once', () => isReady() || started, 'ok\n', 'starting\n')
  probe('/ambassador/v0/check_alive', "Alive, at Emissary's path", () => true, 'isthmus is alive\n', '')
  probe('/ambassador/v0/check_ready', "Ready, at Emissary's path", isReady, 'isthmus is ready\n', 'isthmus is not ready\n')
  app.get<{ Querystring: Static<typeof readyQuery> }>(
    '/readyz',
    {
      config,
      schema: {
        summary: 'Ready; ?verbose says what it waits for',
        tags: ['health'],
        querystring: readyQuery,
        response: { 200: readyBody, 503: readyBody },
      },
    },
    (request, reply) => {
      const ready = isReady()
      const { checks } = readers.ready()
      // Not ready is always explained: it is what somebody wants to know.
      return reply.code(ready ? 200 : 503).send({ ready, ...(ready && request.query.verbose === undefined ? {} : { checks }) })
    },
  )
  app.get(
    '/metrics',
    { config, schema: { summary: 'Prometheus metrics', tags: ['health'], response: { 200: text } } },
    async (_request, reply) => {
      const body = await readers.metrics.metrics()
      return reply.type(readers.metrics.contentType).send(body)
    },
  )
}
