import type { GrpcCall } from '../grpc/grpc-call.ts'
import { grpcCodes } from '../grpc/status.ts'
import { clientStatus, CsdsError, type CsdsReader } from './csds.ts'
import { certificateNames, namesNode } from './node-names.ts'

const service = '/envoy.service.status.v3.ClientStatusDiscoveryService/'

/**
 * `StreamClientStatus` and `FetchClientStatus` by their paths: one answer for each request, of which Fetch takes one. With client certificates
 * each asker sees only the nodes that its own names (xds.md L10).
 */
export function csdsMethods(reader: CsdsReader, verifyNode: boolean): ReadonlyMap<string, (call: GrpcCall) => void> {
  const serve = (call: GrpcCall, isUnary: boolean): void => {
    const { certificate } = call
    const names = verifyNode && certificate !== undefined ? certificateNames(certificate) : undefined
    call.listen({
      message(request) {
        try {
          call.write([clientStatus(request, reader, node => names === undefined || namesNode(names, node))])
          if (isUnary) call.end()
        } catch (error) {
          const message = error instanceof CsdsError ? error.message : 'the request is no ClientStatusRequest'
          call.end({ code: grpcCodes.invalidArgument, message })
        }
      },
      ended: () => call.end(isUnary ? { code: grpcCodes.internal, message: 'there is no request in the call' } : undefined),
      closed: () => undefined,
    })
  }
  return new Map([
    [`${service}StreamClientStatus`, call => serve(call, false)],
    [`${service}FetchClientStatus`, call => serve(call, true)],
  ])
}
