import { readFileSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import type { ResourceCache } from './cache.ts'
import { type Parts, ResponseFramer } from './frames.ts'
import { Proxies } from './proxies.ts'
import { PushQueue } from './push-queue.ts'
import { decodeDeltaRequest, decodeSotwRequest, type DiscoveryRequest } from './request.ts'
import { type XdsMethod, xdsServices } from './services.ts'
import type { ProxiesReader } from './status.ts'
import { Stream, type StreamObserver } from './stream.ts'
import { typeOfUrl } from './type-urls.ts'

export interface XdsServerOptions {
  readonly cache: ResourceCache
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
}

/** Certificate files; with `clientCaFile` every client must show a certificate from that CA. */
export interface XdsTlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile?: string
}

export interface XdsServer {
  /** Gives the port taken; throws if the address cannot be listened on or a certificate file cannot be read. May be called for several. */
  listen(address: { readonly host: string; readonly port: number }, tls?: XdsTlsFiles): Promise<number>
  /** Listens on a Unix socket, for clients of this machine that the folder it is in lets through. Throws if it cannot. */
  listenLocally(path: string): Promise<void>
  /** Takes no new connections, ends all streams, spread over `drainMs`, then whatever is left (xds.md L5). */
  close(drainMs: number): Promise<void>
  readonly proxies: ProxiesReader
}

type Call = grpc.ServerDuplexStream<Buffer, Parts>

/** Reasons for each value: xds.md 5.1 and L6, L11, D17. grpc-js adds jitter to the age by itself. */
function optionsOf({ maxConnectionAgeMs }: XdsServerOptions): grpc.ServerOptions {
  return {
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 2 ** 20,
    'grpc.keepalive_time_ms': 60_000,
    'grpc.keepalive_timeout_ms': 20_000,
    'grpc.enable_channelz': 0,
    ...(maxConnectionAgeMs !== undefined && {
      'grpc.max_connection_age_ms': maxConnectionAgeMs,
      'grpc.max_connection_age_grace_ms': 30_000,
    }),
  }
}

/** The xDS server: ADS and one service per type, state of the world and Delta, all the same stream underneath. */
export function createXdsServer(given: XdsServerOptions): XdsServer {
  const { cache, clock, gate, random } = given
  const proxies = new Proxies(cache, () => clock.wall())
  const streams = new Map<Stream, Call>()
  const server = new grpc.Server(optionsOf(given))
  const queue = new PushQueue({ now: () => clock.now(), defer: setImmediate })
  const framer = new ResponseFramer(given.id)

  const accept = (call: Call, method: XdsMethod): void => {
    const write = (parts: Parts, flushed: () => void): void => {
      call.write(parts, (error: Error | null | undefined) => {
        if (error === null || error === undefined) flushed()
      })
    }
    const noncePrefix = `${Math.floor(random() * 2 ** 32).toString(36)}.`
    const stream = new Stream({ cache, framer, queue, clock, observer: given.observe, noncePrefix, write })
    streams.set(stream, call)
    serve(call, method, stream, given, proxies, () => streams.delete(stream))
  }
  for (const { definition, methods } of xdsServices) {
    const handlers = Object.entries(methods).map(([name, method]) => [name, (call: Call) => accept(call, method)])
    server.addService(definition, Object.fromEntries(handlers) as grpc.UntypedServiceImplementation)
  }
  // One callback for all: a stream that ends before the gate opens leaves nothing behind.
  gate.onOpen(() => {
    for (const stream of streams.keys()) if (stream.node !== undefined) stream.open()
  })

  const bind = (address: string, tls?: XdsTlsFiles): Promise<number> =>
    new Promise((resolve, reject) => {
      server.bindAsync(address, credentials(tls), (error, bound) => {
        if (error === null) resolve(bound)
        else reject(error)
      })
    })

  return {
    proxies,
    listen: ({ host, port }, tls) => bind(`${host.includes(':') ? `[${host}]` : host}:${String(port)}`, tls),
    async listenLocally(path) {
      await bind(`unix:${path}`)
    },
    async close(drainMs) {
      // First: whoever is sent away must not come back here.
      const idle = new Promise<void>(resolve => server.tryShutdown(() => resolve()))
      const spread = streams.size > 1 ? drainMs / 2 : 0
      await Promise.all([...streams.values()].map(call => clock.sleep(spread * random()).then(() => call.end())))
      const done = new AbortController()
      await Promise.race([idle, clock.sleep(Math.max(drainMs / 2, 100), done.signal)])
      done.abort()
      server.forceShutdown()
      // Calls that were cut say so only later.
      for (const stream of streams.keys()) {
        streams.delete(stream)
        proxies.disconnected(stream)
        stream.end()
      }
      cache.close()
    },
  }
}

/** Carries one call: decodes requests, ends the stream on what it must not bear, and frees everything when it is over (xds.md L8). */
function serve(
  call: Call,
  { protocol, type: service }: XdsMethod,
  stream: Stream,
  given: XdsServerOptions,
  proxies: Proxies,
  forget: () => boolean,
): void {
  const { gate, log } = given
  let renamed = false
  let ended = false
  const end = (): void => {
    if (!forget()) return
    if (stream.node !== undefined) log.info({ node: stream.node.id }, 'xDS stream ended')
    proxies.disconnected(stream)
    stream.end()
    ended = true
  }
  const fail = (code: grpc.status, details: string): void => {
    log.warn({ node: stream.node?.id, peer: call.getPeer(), details }, 'xDS stream refused')
    call.emit('error', { code, details })
    end()
  }
  const take = (request: DiscoveryRequest): void => {
    if (request.typeUrl === '' && service === undefined) {
      fail(grpc.status.INVALID_ARGUMENT, 'an ADS request must carry a type_url')
      return
    }
    const type = request.typeUrl === '' ? service : typeOfUrl(request.typeUrl)
    if (service !== undefined && type !== service) fail(grpc.status.INVALID_ARGUMENT, `this service does not serve ${request.typeUrl}`)
    else if (type === undefined) stream.requestUnknown(request)
    else stream.request(type, request)
  }
  call.on('data', (bytes: Buffer) => {
    if (ended) return
    let request: DiscoveryRequest
    try {
      request = protocol === 'delta' ? decodeDeltaRequest(bytes) : decodeSotwRequest(bytes)
    } catch {
      // Nothing can be said about it but that (C19).
      fail(grpc.status.INTERNAL, 'the request is no DiscoveryRequest')
      return
    }
    const { node } = request
    if (stream.node === undefined) {
      if (node === undefined || node.id === '') {
        fail(grpc.status.INVALID_ARGUMENT, 'the first request must carry a node with an id')
        return
      }
      stream.identify(node)
      proxies.connected(stream, call.getPeer())
      log.info({ node: node.id, peer: call.getPeer(), client: node.userAgent, protocol }, 'xDS stream opened')
      if (gate.open) stream.open()
    } else if (node !== undefined && node.id !== '' && node.id !== stream.node.id && !renamed) {
      renamed = true
      log.warn({ node: stream.node.id, claims: node.id }, 'an xDS stream changed its node id; the first one counts')
    }
    take(request)
  })
  call.on('end', () => {
    end()
    call.end()
  })
  call.on('cancelled', end)
  call.on('error', end)
  call.on('close', end)
  call.on('finish', end)
}

function credentials(tls: XdsTlsFiles | undefined): grpc.ServerCredentials {
  if (tls === undefined) return grpc.ServerCredentials.createInsecure()
  const ca = tls.clientCaFile === undefined ? null : readFileSync(tls.clientCaFile)
  return grpc.ServerCredentials.createSsl(
    ca,
    [{ cert_chain: readFileSync(tls.certFile), private_key: readFileSync(tls.keyFile) }],
    ca !== null,
  )
}
