import * as grpc from '@grpc/grpc-js'
import { Admission } from './admission.ts'
import type { ResourceCache } from './cache.ts'
import { Call, type XdsGrpcCall } from './call.ts'
import { RenewableCredentials, type XdsTls } from './credentials.ts'
import { addCsds } from './csds-service.ts'
import { ResponseFramer } from './frames.ts'
import { Proxies } from './proxies.ts'
import { PushQueue } from './push-queue.ts'
import type { NodeIdentity } from './request.ts'
import { type XdsMethod, xdsServices } from './services.ts'
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
  listen(address: { readonly host: string; readonly port: number }, tls?: XdsTls): Promise<number>
  /** Shows another certificate on the listeners with TLS from now on; throws if it cannot be used, and goes on with the former one. */
  renew(tls: XdsTls): void
  /** Listens on a Unix socket, for clients of this machine that the folder it is in lets through. Throws if it cannot. */
  listenLocally(path: string): Promise<void>
  /** Takes no new connections, ends all streams, spread over `drainMs`, then whatever is left (xds.md L5). */
  close(drainMs: number): Promise<void>
  readonly proxies: ProxiesReader
}

/** As fast as a start of the whole fleet may be served without starving those who are there already; the rest is told to come back. */
const defaultAdmission = { perSecond: 200, burst: 200, longestWaitMs: 5_000 }

/** Reasons for each value: xds.md 5.1 and L6, L11, D17. grpc-js adds jitter to the age by itself. */
function optionsOf({ maxConnectionAgeMs, keepalive = { timeMs: 60_000, timeoutMs: 20_000 } }: XdsServerOptions): grpc.ServerOptions {
  return {
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 2 ** 20,
    'grpc.keepalive_time_ms': keepalive.timeMs,
    'grpc.keepalive_timeout_ms': keepalive.timeoutMs,
    'grpc.enable_channelz': 0,
    ...(maxConnectionAgeMs !== undefined && {
      'grpc.max_connection_age_ms': maxConnectionAgeMs,
      // Time for the client to see the announcement, and no more: its stream does not end by itself.
      'grpc.max_connection_age_grace_ms': Math.min(30_000, maxConnectionAgeMs),
    }),
  }
}

/** The xDS server: ADS and one service per type, state of the world and Delta, all the same stream underneath. */
export function createXdsServer(given: XdsServerOptions): XdsServer {
  const { cache, clock, gate, log, observe, random, viewOf = () => cache } = given
  const proxies = new Proxies(() => clock.wall())
  const calls = new Set<Call>()
  const renewable: RenewableCredentials[] = []
  const server = new grpc.Server(optionsOf(given))
  const queue = new PushQueue({ now: () => clock.now(), defer: setImmediate })
  const framer = new ResponseFramer(given.id)
  const admission = new Admission({ clock, ...(given.admission ?? defaultAdmission) })

  const accept = (call: XdsGrpcCall, method: XdsMethod): void => {
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
  for (const { definition, methods } of xdsServices) {
    const handlers = Object.entries(methods).map(([name, method]) => [name, (call: XdsGrpcCall) => accept(call, method)])
    server.addService(definition, Object.fromEntries(handlers) as grpc.UntypedServiceImplementation)
  }
  addCsds(server, proxies, given.verifyNode ?? true)
  // One callback for all: a stream that ends before the gate opens leaves nothing behind.
  gate.onOpen(() => {
    for (const call of calls) call.open()
  })

  const bind = (address: string, credentials: grpc.ServerCredentials): Promise<number> =>
    new Promise((resolve, reject) => {
      server.bindAsync(address, credentials, (error, bound) => {
        if (error === null) resolve(bound)
        else reject(error)
      })
    })

  return {
    proxies,
    async listen({ host, port }, tls) {
      const own = tls === undefined ? undefined : new RenewableCredentials(tls)
      const address = `${host.includes(':') ? `[${host}]` : host}:${String(port)}`
      const bound = await bind(address, own?.credentials ?? grpc.ServerCredentials.createInsecure())
      if (own !== undefined) renewable.push(own)
      return bound
    },
    renew(tls) {
      for (const one of renewable) one.renew(tls)
    },
    async listenLocally(path) {
      await bind(`unix:${path}`, grpc.ServerCredentials.createInsecure())
    },
    async close(drainMs) {
      // First: whoever is sent away must not come back here.
      const idle = new Promise<void>(resolve => server.tryShutdown(() => resolve()))
      const spread = calls.size > 1 ? drainMs / 2 : 0
      await Promise.all([...calls].map(call => clock.sleep(spread * random()).then(() => call.finish())))
      const done = new AbortController()
      await Promise.race([idle, clock.sleep(Math.max(drainMs / 2, 100), done.signal)])
      done.abort()
      server.forceShutdown()
      // Calls that were cut say so only later.
      for (const call of calls) call.end()
      cache.close()
    },
  }
}
