import { once } from 'node:events'
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createSecureContext } from 'node:tls'
import { GrpcCall } from './grpc-call.ts'
import { acceptedEncodings, readRequestHead } from './request-head.ts'
import { careFor, type SessionLimits } from './session-care.ts'
import { grpcCodes, statusFields } from './status.ts'

/** What a listener with TLS shows and trusts, PEM; with `ca` every client must show a certificate that comes from it. */
export interface ServerTls {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca?: Buffer
}

export interface GrpcServerGiven {
  /** `/package.Service/Method` → takes its calls. */
  readonly methods: ReadonlyMap<string, (call: GrpcCall) => void>
  /** The longest message that is taken, bytes. */
  readonly messageMost: number
  readonly limits: SessionLimits
  /** Uniform in [0, 1), for spreading. */
  readonly random: () => number
  /** A connection could not be accepted. */
  readonly failed: (error: Error) => void
}

/** So much may a client send of one call, and on one connection, before it was read: a long first request without a round trip per 64 KiB. */
const streamWindow = 1024 * 1024
const connectionWindow = 4 * 1024 * 1024

const options: ServerOptions = {
  settings: { enablePush: false, initialWindowSize: streamWindow, maxConcurrentStreams: 2 ** 20 },
  // Node would refuse streams of a connection that holds 10 MB; a long response to a slow client is more.
  maxSessionMemory: Number.MAX_SAFE_INTEGER,
}

/** A gRPC server (gRPC over HTTP2) on any number of addresses, in plain text or over TLS. It knows messages as bytes only. */
export class GrpcServer {
  readonly #given: GrpcServerGiven
  readonly #plain = new Set<Http2Server>()
  readonly #secure = new Set<Http2SecureServer>()
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(given: GrpcServerGiven) {
    this.#given = given
  }

  /**
   * Listens on an address or a Unix socket; gives the port (0 for a socket). Throws if that cannot be listened on, or if certificate and key
   * cannot be used.
   */
  async listen(address: { readonly host: string; readonly port: number } | { readonly path: string }, tls?: ServerTls): Promise<number> {
    const server = tls === undefined ? createServer(options) : createSecureServer({ ...options, ...tls, ...clientsOf(tls) })
    server.on('session', session => this.#attend(session))
    server.on('stream', (stream, fields) => this.#take(stream, fields))
    server.listen(address)
    await once(server, 'listening')
    server.on('error', (error: Error) => this.#given.failed(error))
    if ('setSecureContext' in server) this.#secure.add(server)
    else this.#plain.add(server)
    const bound = server.address()
    return bound === null || typeof bound === 'string' ? 0 : (bound satisfies AddressInfo).port
  }

  /** New connections over TLS are shown this from now on, open ones stay as they are. Throws if it cannot be used, and changes nothing. */
  renew(tls: ServerTls): void {
    createSecureContext({ ...tls })
    for (const server of this.#secure) server.setSecureContext({ ...tls })
  }

  /** Takes no new connections and tells clients to go away; resolves when the last connection has ended. */
  async drain(): Promise<void> {
    const closed = [...this.#plain, ...this.#secure].map(server => new Promise<void>(resolve => server.close(() => resolve())))
    for (const session of this.#sessions) session.close()
    await Promise.all(closed)
  }

  /** Cuts what is left. */
  cut(): void {
    for (const session of this.#sessions) session.destroy()
  }

  #attend(session: ServerHttp2Session): void {
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
    session.setLocalWindowSize(connectionWindow)
    careFor(session, this.#given.limits, this.#given.random)
  }

  #take(stream: ServerHttp2Stream, fields: IncomingHttpHeaders): void {
    const { methods, messageMost } = this.#given
    const head = readRequestHead(fields)
    const refuse = (answer: Readonly<Record<string, string | number>>): void => {
      stream.on('error', () => undefined)
      stream.respond(answer, { endStream: true })
      stream.resume()
    }
    if ('httpStatus' in head) {
      refuse({ ':status': head.httpStatus })
      return
    }
    const serve = 'path' in head ? methods.get(head.path) : undefined
    if ('path' in head && serve !== undefined) {
      serve(new GrpcCall(stream, head, messageMost))
      return
    }
    const status = 'status' in head ? head.status : { code: grpcCodes.unimplemented, message: `there is no method ${head.path}` }
    refuse({
      ...{ ':status': 200, 'content-type': 'application/grpc+proto', 'grpc-accept-encoding': acceptedEncodings },
      ...statusFields(status),
    })
  }
}

function clientsOf({ ca }: ServerTls): { readonly requestCert: boolean; readonly rejectUnauthorized: boolean } {
  return { requestCert: ca !== undefined, rejectUnauthorized: ca !== undefined }
}
