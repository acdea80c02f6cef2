import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ServiceKey } from '../../model/service-key.ts'
import type { AdminReaders } from '../readers.ts'
import { waitMs, type Waits } from '../waits.ts'

/** What every route gets. */
export interface RouteContext {
  readonly readers: AdminReaders
  readonly waits: Waits
}

/** The parameters of a blocking query. */
export interface BlockingQuery {
  readonly index?: number
  readonly wait?: string
}

/** What an answer is made of: decides what its ETag stands for. */
interface Basis {
  /** Blocks on this service alone, not on the whole table. */
  readonly service?: ServiceKey
  /** The answer holds more than the table and the routes, so that only its content tells whether it is another one. */
  readonly beyondTable?: boolean
}

/**
 * Answers a GET: blocks when `index` asks for it, sets `X-Isthmus-Index` and the weak ETag, gives 304 when the client has it already.
 * @param build makes the body; it runs after the wait; what it reads of the table it reads in one go, not before the index was taken
 */
export async function answer<Body extends object>(
  context: RouteContext,
  request: FastifyRequest<{ Querystring: BlockingQuery }>,
  reply: FastifyReply,
  basis: Basis,
  build: () => Body | Promise<Body>,
): Promise<Body | undefined> {
  const { readers, waits } = context
  const { index, wait } = request.query
  const ms = waitMs(wait)
  if (index !== undefined) {
    const gone = new AbortController()
    const leave = () => gone.abort()
    reply.raw.once('close', leave)
    await waits.until(index, ms, gone.signal, basis.service)
    reply.raw.off('close', leave)
  }
  const current = waits.index(basis.service)
  const body = await build()
  // The start time tells two runs apart, whose revisions both count from 1. Ages grow all the time and count for nothing here.
  const state = basis.beyondTable === true ? hash(body) : hash([readers.startedAt, current, routesGeneration(readers)])
  const etag = `W/"${current}-${state}"`
  reply.header('x-isthmus-index', current).header('etag', etag)
  if (matches(request.headers['if-none-match'], etag)) {
    await reply.code(304).send()
    return undefined
  }
  return body
}

function matches(header: string | undefined, etag: string): boolean {
  return header !== undefined && (header.trim() === '*' || header.split(',').some(one => one.trim() === etag))
}

function hash(value: unknown): string {
  const text = JSON.stringify(value, (key, item: unknown) => (/Seconds$/.test(key) ? undefined : item))
  return createHash('sha256').update(text).digest('base64url').slice(0, 12)
}

const generations = new WeakMap<object, number>()
let lastGeneration = 0

/** A number per route table: services show which clusters use them, and those change without the table of endpoints. */
function routesGeneration(readers: AdminReaders): number {
  const table = readers.routeTable()
  let generation = generations.get(table)
  if (generation === undefined) generations.set(table, (generation = ++lastGeneration))
  return generation
}
