import type { GrpcCall } from '../grpc/grpc-call.ts'
import { GrpcServer, type ServerTls } from '../grpc/grpc-server.ts'
import { Admission } from './admission.ts'
import type { ResourceCache } from './cache.ts'
import { Call } from './call.ts'
import { csdsMethods } from './csds-service.ts'
import { ResponseFramer } from './frames.ts'
import { Proxies } from './proxies.ts'
import { PushQueue } from './push-queue.ts'
import type { NodeIdentity } from './request.ts'
import { type XdsMethod, xdsMethods } from './services.ts'
import type { ProxiesReader } from './status.ts'
import { Stream, type StreamObserver } from './stream.ts'

export interface XdsServerOptions {
  readonly cache: ResourceCache
  /** What a client is served that asks for its own view (xds.md L9); default: `cache` for everybody. */
  readonly viewOf?: (node: NodeIdentity) => ResourceCache
  /** Id of this gateway, in every response. */
  readonly id: string
  readonly log: { info(data: object, message: string): void; warn(data: object, message: string): void }
  readonly clock: { now(): number; wall(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> }
  /** Uniform in [0, 1), for spreading. */
  readonly random: () => number
  /** Until it opens, streams are accepted and nothing is answered (xds.md L1). */
  readonly gate: { readonly open: boolean; onOpen(callback: () => void): void }
  readonly observe: StreamObserver
  /** Connections are asked to reconnect at about this age, so that they spread over replicas again (xds.md L5); absent: never. */
  readonly maxConnectionAgeMs?: number
  /** How long a connection may be silent before it is pinged, and the ping unanswered before it is cut (xds.md L6). */
  readonly keepalive?: { readonly timeMs: number; readonly timeoutMs: number }
  /** New clients per second (xds.md L7), see Admission. */
  readonly admission?: { readonly perSecond: number; readonly burst: number; readonly longestWaitMs: number }
  /** Clients that show a certificate may only be the nodes that it names (xds.md L10); default true. */
  readonly verifyNode?: boolean
}

export interface XdsServer {
  /** Gives the port taken; throws if the address cannot be listened on or a certificate cannot be used. May be called for several. */
  listen(address: { readonly host: string; readonly port: number }, tls?: ServerTls): Promise<number>
  /** Shows another certificate on the listeners with TLS from now on; throws if it cannot be used, and goes on with the former one. */
  renew(tls: ServerTls): void
  /** Listens on a Unix socket, for clients of this machine that the folder it is in lets through. Throws if it cannot. */
  listenLocally(path: string): Promise<void>
  /** Takes no new connections, ends all streams, spread over `drainMs`, then whatever is left (xds.md L5). */
  close(drainMs: number): Promise<void>
  readonly proxies: ProxiesReader
}

/** As fast as a start of the whole fleet may be served without starving those who are there already; the rest is told to come back. */
const defaultAdmission = { perSecond: 200, burst: 200, longestWaitMs: 5_000 }

/** The largest requests in the field have 21 MB (D17). */
const requestMost = 64 * 1024 * 1024

/** The xDS server: ADS and one service per type, state of the world and Delta, all the same stream underneath. */
export function createXdsServer(given: XdsServerOptions): XdsServer {
  const { cache, clock, gate, log, observe, random, viewOf = () => cache } = given
  const proxies = new Proxies(() => clock.wall())
  const calls = new Set<Call>()
  const queue = new PushQueue({ now: () => clock.now(), defer: setImmediate })
  const framer = new ResponseFramer(given.id)
  const admission = new Admission({ clock, ...(given.admission ?? defaultAdmission) })

  const accept = (call: GrpcCall, method: XdsMethod): void => {
    const noncePrefix = `${Math.floor(random() * 2 ** 32).toString(36)}.`
    const one = new Call(call, method, {
      ...{ log, gate, proxies, admission, verifyNode: given.verifyNode ?? true },
      streamFor: (node, rest) => new Stream({ node, cache: viewOf(node), framer, queue, clock, observer: observe, noncePrefix, ...rest }),
      fault: fault => observe.fault?.(fault),
      waited: () => observe.bound?.('admission'),
      ended: ended => void calls.delete(ended),
    })
    calls.add(one)
  }
  const { keepalive = { timeMs: 60_000, timeoutMs: 20_000 }, maxConnectionAgeMs: age } = given
  const server = new GrpcServer({
    methods: new Map([
      ...[...xdsMethods].map(([path, method]) => [path, (call: GrpcCall) => accept(call, method)] as const),
      ...csdsMethods(proxies, given.verifyNode ?? true),
    ]),
    messageMost: requestMost,
    limits: {
      keepalive,
      // Grace: time for the client to see the announcement, and no more, for its stream does not end by itself.
      ...(age !== undefined && { age: { ms: age, graceMs: Math.min(30_000, age) } }),
    },
    random,
    failed: error => log.warn({ error: error.message }, 'an xDS connection could not be accepted'),
  })
  // One callback for all: a stream that ends before the gate opens leaves nothing behind.
  gate.onOpen(() => {
    for (const call of calls) call.open()
  })

  return {
    proxies,
    listen: ({ host, port }, tls) => server.listen({ host, port }, tls),
    renew: tls => server.renew(tls),
    async listenLocally(path) {
      await server.listen({ path })
    },
    async close(drainMs) {
      // First: whoever is sent away must not come back here.
      const idle = server.drain()
      const spread = calls.size > 1 ? drainMs / 2 : 0
      await Promise.all([...calls].map(call => clock.sleep(spread * random()).then(() => call.finish())))
      const done = new AbortController()
      await Promise.race([idle, clock.sleep(Math.max(drainMs / 2, 100), done.signal)])
      done.abort()
      server.cut()
      // Calls that were cut say so only later.
      for (const call of calls) call.finish()
      cache.close()
    },
  }
}
