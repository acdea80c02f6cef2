import * as grpc from '@grpc/grpc-js'
import { clientStatus, CsdsError, type CsdsReader } from './csds.ts'
import { certificateNames, namesNode } from './node-names.ts'

type Asker = Pick<grpc.ServerUnaryCall<Buffer, Buffer>, 'getAuthContext'>

/** `StreamClientStatus` and `FetchClientStatus`. With client certificates each sees only the nodes that its own names (xds.md L10). */
export function addCsds(server: grpc.Server, reader: CsdsReader, verifyNode: boolean): void {
  const answer = (request: Buffer, asker: Asker): Buffer | grpc.ServiceError => {
    const { sslPeerCertificate } = asker.getAuthContext()
    const names = verifyNode && sslPeerCertificate !== undefined ? certificateNames(sslPeerCertificate) : undefined
    try {
      return clientStatus(request, reader, node => names === undefined || namesNode(names, node))
    } catch (error) {
      const details = error instanceof CsdsError ? error.message : 'the request is no ClientStatusRequest'
      return Object.assign(new Error(details), { code: grpc.status.INVALID_ARGUMENT, details, metadata: new grpc.Metadata() })
    }
  }
  const method = (name: string, stream: boolean): grpc.MethodDefinition<Buffer, Buffer> => {
    const asIs = (bytes: Buffer): Buffer => bytes
    return {
      path: `/envoy.service.status.v3.ClientStatusDiscoveryService/${name}`,
      ...{ requestStream: stream, responseStream: stream },
      ...{ requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs },
    }
  }
  server.addService(
    { StreamClientStatus: method('StreamClientStatus', true), FetchClientStatus: method('FetchClientStatus', false) },
    {
      StreamClientStatus(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
        call.on('error', () => undefined)
        call.on('end', () => call.end())
        call.on('data', (request: Buffer) => {
          const answered = answer(request, call)
          if (Buffer.isBuffer(answered)) call.write(answered)
          else call.emit('error', answered)
        })
      },
      FetchClientStatus(call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) {
        const answered = answer(call.request, call)
        if (Buffer.isBuffer(answered)) callback(null, answered)
        else callback(answered)
      },
    },
  )
}
