import { Server, ServerCredentials, type ServerReadableStream, type ServerUnaryCall, status } from '@grpc/grpc-js'
import { loadProtos } from '../../protos/load.ts'

type Message = Readonly<Record<string, unknown>>
type Answer = (error: { code: status; details: string } | null, answer?: Buffer) => void

/** What Envoy asks and tells services, as plain objects with fields in camel case; the answers are the caller's, undefined: none, ever. */
export interface EnvoyServices {
  /** `envoy.service.auth.v3.CheckRequest` and its metadata → `CheckResponse`. */
  check?: (request: Message, metadata: Message) => Message | undefined
  /** `envoy.service.ratelimit.v3.RateLimitRequest` → `RateLimitResponse`. */
  shouldRateLimit?: (request: Message) => Message | undefined
  /** `envoy.service.accesslog.v3.StreamAccessLogsMessage`. */
  log?: (message: Message) => void
  /** An OTLP export, undecoded. */
  export?: (bytes: Buffer) => void
}

/** A gRPC server that Envoy calls; it stops at once. */
export interface EnvoyServicesServer {
  readonly port: number
  stop(): void
}

const files = ['auth/v3/external_auth', 'ratelimit/v3/rls', 'accesslog/v3/als'].map(name => `envoy/service/${name}.proto`)

/** Starts it on a free port of loopback. Throws if it cannot listen. */
export async function startEnvoyServices(handle: EnvoyServices): Promise<EnvoyServicesServer> {
  const root = loadProtos(files)
  const decode = (name: string, bytes: Buffer): Message => {
    const type = root.lookupType(name)
    return type.toObject(type.decode(bytes), { enums: String, longs: Number, defaults: false })
  }
  const encode = (name: string, message: Message): Buffer => {
    const type = root.lookupType(name)
    return Buffer.from(type.encode(type.fromObject(message)).finish())
  }
  const unary =
    (handler: EnvoyServices['check'], asks: string, answers: string) =>
    (call: ServerUnaryCall<Buffer, Buffer>, answer: Answer): void => {
      if (handler === undefined) answer({ code: status.UNIMPLEMENTED, details: 'nobody handles this' })
      const answered = handler?.(decode(asks, call.request), call.metadata.getMap())
      if (answered !== undefined) answer(null, encode(answers, answered))
    }
  const server = new Server()
  const raw = (path: string, requestStream = false) => ({
    ...{ path, requestStream, responseStream: false },
    ...{ requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
  })
  server.addService(
    {
      check: raw('/envoy.service.auth.v3.Authorization/Check'),
      shouldRateLimit: raw('/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'),
      log: raw('/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs', true),
      export: raw('/opentelemetry.proto.collector.trace.v1.TraceService/Export'),
    },
    {
      check: unary(handle.check, 'envoy.service.auth.v3.CheckRequest', 'envoy.service.auth.v3.CheckResponse'),
      shouldRateLimit: unary(
        handle.shouldRateLimit,
        'envoy.service.ratelimit.v3.RateLimitRequest',
        'envoy.service.ratelimit.v3.RateLimitResponse',
      ),
      log(call: ServerReadableStream<Buffer, Buffer>, answer: Answer) {
        call.on('data', (bytes: Buffer) => handle.log?.(decode('envoy.service.accesslog.v3.StreamAccessLogsMessage', bytes)))
        call.on('end', () => answer(null, Buffer.alloc(0)))
      },
      export(call: ServerUnaryCall<Buffer, Buffer>, answer: Answer) {
        handle.export?.(call.request)
        answer(null, Buffer.alloc(0))
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  return { port, stop: () => server.forceShutdown() }
}

function same(bytes: Buffer): Buffer {
  return bytes
}
