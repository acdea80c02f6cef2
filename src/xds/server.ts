import { readFileSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import type { ResourceCache } from './cache.ts'
import { Proxies } from './proxies.ts'
import { decodeDeltaRequest, decodeSotwRequest, type DiscoveryRequest } from './request.ts'
import { xdsServices } from './services.ts'
import type { ProxiesReader } from './status.ts'
import { Stream, type StreamObserver, typeOfRequest } from './stream.ts'
import type { ResourceType } from './type-urls.ts'

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
}

/** Certificate files; with `clientCaFile` every client must show a certificate from that CA. */
export interface XdsTlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly clientCaFile?: string
}

export interface XdsServer {
  /** Gives the port taken; throws if the address cannot be listened on or a certificate file cannot be read. */
  listen(address: { readonly host: string; readonly port: number }, tls?: XdsTlsFiles): Promise<number>
  /** Ends all streams, spread over `drainMs`, then the server. */
  close(drainMs: number): Promise<void>
  readonly proxies: ProxiesReader
}

type Call = grpc.ServerDuplexStream<Buffer, Buffer>

/** Reasons for each value: xds.md 5.1 and L6, L11, D17. */
const options: grpc.ServerOptions = {
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': 2 ** 20,
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.enable_channelz': 0,
}

/** The xDS server: ADS and one service per type, state of the world and Delta, all the same stream underneath. */
export function createXdsServer(given: XdsServerOptions): XdsServer {
  const { cache, clock, gate, log, random } = given
  const proxies = new Proxies(cache, () => clock.wall())
  const streams = new Map<Stream, Call>()
  const server = new grpc.Server(options)

  const handle = (call: Call, protocol: 'sotw' | 'delta', service: ResourceType | undefined): void => {
    const stream = new Stream({ cache, id: given.id, clock, observer: given.observe, write: bytes => call.write(bytes) })
    streams.set(stream, call)
    const end = (): void => {
      if (!streams.delete(stream)) return
      if (stream.node !== undefined) log.info({ node: stream.node.id }, 'xDS stream ended')
      proxies.disconnected(stream)
      stream.end()
    }
    const fail = (code: grpc.status, details: string): void => {
      log.warn({ node: stream.node?.id, peer: call.getPeer(), details }, 'xDS stream refused')
      call.emit('error', { code, details })
      end()
    }
    call.on('data', (bytes: Buffer) => {
      if (!streams.has(stream)) return
      let request: DiscoveryRequest
      try {
        request = protocol === 'delta' ? decodeDeltaRequest(bytes) : decodeSotwRequest(bytes)
      } catch {
        // Nothing can be said about it but that (C19).
        fail(grpc.status.INTERNAL, 'the request is no DiscoveryRequest')
        return
      }
      if (stream.node === undefined) {
        if (request.node === undefined || request.node.id === '') {
          fail(grpc.status.INVALID_ARGUMENT, 'the first request must carry a node with an id')
          return
        }
        stream.identify(request.node)
        proxies.connected(stream, call.getPeer())
        log.info({ node: request.node.id, peer: call.getPeer(), client: request.node.userAgent, protocol }, 'xDS stream opened')
        gate.onOpen(() => stream.open())
      } else if (request.node !== undefined && request.node.id !== '' && request.node.id !== stream.node.id) {
        log.warn({ node: stream.node.id, claims: request.node.id }, 'an xDS stream changed its node id; the first one counts')
      }
      if (request.typeUrl === '' && service === undefined) {
        fail(grpc.status.INVALID_ARGUMENT, 'an ADS request must carry a type_url')
        return
      }
      const type = typeOfRequest(request.typeUrl, service)
      if (service !== undefined && type !== service) fail(grpc.status.INVALID_ARGUMENT, `this service does not serve ${request.typeUrl}`)
      else if (type === undefined) stream.refuse(request)
      else stream.request(type, request)
    })
    call.on('drain', () => stream.drained())
    call.on('end', () => {
      end()
      call.end()
    })
    call.on('cancelled', end)
    call.on('error', end)
    call.on('close', end)
  }
  for (const { definition, methods } of xdsServices) {
    const handlers = Object.entries(methods).map(([method, { protocol, type }]) => [method, (call: Call) => handle(call, protocol, type)])
    server.addService(definition, Object.fromEntries(handlers) as grpc.UntypedServiceImplementation)
  }

  return {
    proxies,
    listen: ({ host, port }, tls) =>
      new Promise((resolve, reject) => {
        const address = host.includes(':') ? `[${host}]:${String(port)}` : `${host}:${String(port)}`
        server.bindAsync(address, credentials(tls), (error, bound) => {
          if (error === null) resolve(bound)
          else reject(error)
        })
      }),
    async close(drainMs) {
      const spread = streams.size > 1 ? drainMs / 2 : 0
      await Promise.all([...streams.values()].map(call => clock.sleep(spread * random()).then(() => call.end())))
      await new Promise<void>(resolve => {
        const force = setTimeout(() => {
          server.forceShutdown()
          resolve()
        }, drainMs / 2)
        server.tryShutdown(() => {
          clearTimeout(force)
          resolve()
        })
      })
      cache.close()
    },
  }
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
