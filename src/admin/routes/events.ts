import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Static } from 'typebox'
import { IsthmusError } from '../../model/errors.ts'
import { type ServiceKey, serviceKey } from '../../model/service-key.ts'
import type { LedgerEntry, LedgerReader, SeenEndpoint } from '../../table/ledger.ts'
import {
  differenceBody,
  type DifferenceBody,
  differenceQuery,
  entriesBody,
  entryBody,
  type EntryBody,
  eventsQuery,
  historyQuery,
  type SeenBody,
  streamQuery,
} from '../ledger-schemas.ts'
import { endpointsAt, pastTime } from '../past.ts'
import { invalid } from '../problem.ts'
import { serviceParams } from '../schemas.ts'
import type { RouteContext } from './context.ts'

type ServiceParams = Static<typeof serviceParams>
type EventsQuery = Static<typeof eventsQuery>

/** Beyond it a stream says that it lives. */
const heartbeatMs = 15_000
const pageLimit = 1000

/** `GET /services/{ns}/{name}/history` and `/difference`, `GET /events`, `/events/stream`: the ledger. */
export function addEvents(app: FastifyInstance, { readers }: RouteContext): void {
  const { ledger, clock, table } = readers
  const tags = ['ledger']
  const pageOf = async ({ since, limit = pageLimit, cursor, service }: EventsQuery) => {
    const after = cursor === undefined ? 0 : Number(cursor)
    const oldest = since === undefined ? undefined : pastTime(since, 'since', clock.wall())
    const key = service === undefined ? undefined : keyOf(service)
    const found = await ledger.entries({ after, service: key, since: oldest, limit: limit + 1 })
    const items = found.slice(0, limit).map(bodyOf)
    return { items, ...(found.length > limit ? { nextCursor: String(items.at(-1)?.id) } : {}) }
  }

  app.get<{ Params: ServiceParams; Querystring: Static<typeof historyQuery> }>(
    '/services/:namespace/:name/history',
    {
      schema: {
        summary: 'What became of the endpoints of a service, oldest first',
        tags,
        params: serviceParams,
        querystring: historyQuery,
        response: { 200: entriesBody(entryBody) },
      },
    },
    async ({ params: { namespace, name }, query }) => {
      const service = serviceKey(namespace, name)
      if (table.pool(service) === undefined && (await ledger.entries({ service, limit: 1 })).length === 0)
        throw new IsthmusError('service-unknown', `neither a source nor the ledger knows the service ${service}`)
      return pageOf({ ...query, service })
    },
  )
  app.get<{ Params: ServiceParams; Querystring: Static<typeof differenceQuery> }>(
    '/services/:namespace/:name/difference',
    {
      schema: {
        summary: 'What differs between the endpoints of a service at two times',
        tags,
        params: serviceParams,
        querystring: differenceQuery,
        response: { 200: differenceBody },
      },
    },
    async ({ params: { namespace, name }, query }): Promise<DifferenceBody> => {
      const service = serviceKey(namespace, name)
      const now = clock.wall()
      const from = pastTime(query.from, 'from', now)
      const to = query.to === undefined ? now : pastTime(query.to, 'to', now)
      const [before, after] = await Promise.all([endpointsAt(readers, service, from), endpointsAt(readers, service, to)])
      const [old, current] = [new Set(before.map(textOf)), new Set(after.map(textOf))]
      return {
        ...{ service, from: new Date(from).toISOString(), to: new Date(to).toISOString() },
        before: before.filter(one => !current.has(textOf(one))).map(seenBodyOf),
        after: after.filter(one => !old.has(textOf(one))).map(seenBodyOf),
      }
    },
  )
  app.get<{ Querystring: EventsQuery }>(
    '/events',
    {
      schema: {
        summary: 'Changes of all services and what users did, oldest first',
        tags,
        querystring: eventsQuery,
        response: { 200: entriesBody(entryBody) },
      },
    },
    request => pageOf(request.query),
  )

  const streams = new Set<AbortController>()
  app.addHook('preClose', done => {
    for (const stream of streams) stream.abort()
    done()
  })
  app.get<{ Querystring: Static<typeof streamQuery>; Headers: { 'last-event-id'?: string } }>(
    '/events/stream',
    {
      schema: {
        summary: 'The same as it happens: server-sent events',
        description: 'Last-Event-ID continues after an entry. Where entries were given up meanwhile, an event `gap` comes first.',
        tags,
        querystring: streamQuery,
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const given = request.headers['last-event-id']
      if (given !== undefined && !/^\d{1,15}$/.test(given))
        throw invalid(`header "Last-Event-ID" must be the id of an entry, not "${given}"`)
      const service = request.query.service === undefined ? undefined : keyOf(request.query.service)
      const { last } = await ledger.extent()
      // An id from before the ledger began anew is above all there are.
      const from = given === undefined || Number(given) > last ? last : Number(given)
      reply.hijack()
      const ended = new AbortController()
      streams.add(ended)
      reply.raw.once('close', () => ended.abort())
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' })
      try {
        await stream(reply.raw, ledger, { from, given: given === undefined ? undefined : Number(given), service }, ended.signal)
      } catch (error) {
        request.log.error({ error }, 'a stream of events ended')
      } finally {
        streams.delete(ended)
        reply.raw.end()
      }
    },
  )
}

interface Start {
  readonly from: number
  /** Last-Event-ID. */
  readonly given: number | undefined
  readonly service: ServiceKey | undefined
}

/** Writes entries as they come, at the pace of the reader, until the signal aborts. */
async function stream(to: ServerResponse, ledger: LedgerReader, { from, given, service }: Start, signal: AbortSignal): Promise<void> {
  let after = from
  let wake: () => void = () => undefined
  const unsubscribe = ledger.onEntries(() => wake())
  const heartbeat = setInterval(() => to.write(': still here\n\n'), heartbeatMs)
  const write = async (text: string): Promise<void> => {
    if (!to.write(text)) await once(to, 'drain', { signal }).catch(() => undefined)
  }
  signal.addEventListener('abort', () => wake())
  const isOver = (): boolean => signal.aborted
  try {
    await write('retry: 2000\n\n')
    const [oldest] = given === undefined ? [] : await ledger.entries({ limit: 1 })
    if (given !== undefined && (given > from || (oldest !== undefined && oldest.seq > given + 1)))
      await write(`event: gap\ndata: ${JSON.stringify({ after: given, text: 'entries after this id are not kept any more' })}\n\n`)
    while (!isOver()) {
      const woken = new Promise<void>(resolve => (wake = resolve))
      const found = await ledger.entries({ after, service, limit: pageLimit })
      for (const entry of found) {
        after = entry.seq
        await write(`id: ${String(entry.seq)}\nevent: ${entry.cause}\ndata: ${JSON.stringify(bodyOf(entry))}\n\n`)
      }
      if (found.length === 0 && !isOver()) await woken
    }
  } finally {
    clearInterval(heartbeat)
    unsubscribe()
  }
}

function keyOf(text: string): ServiceKey {
  const [namespace, name, rest] = text.split('/')
  if (!namespace || !name || rest !== undefined) throw invalid(`query parameter "service" must be namespace/name, not "${text}"`)
  return serviceKey(namespace, name)
}

function bodyOf({ seq, at, service, actor, before, after, sources, merged, cause, text, revision }: LedgerEntry): EntryBody {
  return {
    ...{ id: seq, at: new Date(at).toISOString(), revision, service: service ?? null, cause, sources: [...sources] },
    ...{ actor: actor ?? null, text, before: before.map(seenBodyOf), after: after.map(seenBodyOf) },
    ...(merged === undefined ? {} : { merged }),
  }
}

function seenBodyOf(one: SeenEndpoint): SeenBody {
  return { ...one, sources: [...one.sources], reasons: one.reasons.map(reason => ({ ...reason })) }
}

function textOf(one: SeenEndpoint): string {
  return JSON.stringify(one)
}
