import { Server, ServerCredentials } from '@grpc/grpc-js'

/** One small gRPC server without TLS. */
export interface GrpcBackend {
  readonly port: number
  stop(): void
}

const bytes = (buffer: Buffer): Buffer => buffer
const unary = { requestStream: false, responseStream: false, requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes }

/** Serves `/test.Echo/Who`, which answers the name given, and `/test.Echo/Never`, which does not answer. Throws if it cannot listen. */
export async function startGrpcBackend(name: string): Promise<GrpcBackend> {
  const server = new Server()
  const definition = {
    who: { ...unary, path: '/test.Echo/Who', responseDeserialize: bytes },
    never: { ...unary, path: '/test.Echo/Never', responseDeserialize: bytes },
  }
  server.addService(definition, {
    who: (_call: unknown, answer: (error: null, body: Buffer) => void) => answer(null, Buffer.from(name)),
    never: () => undefined,
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  return { port, stop: () => server.forceShutdown() }
}
