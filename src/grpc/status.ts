/** The status codes of gRPC that this server gives (gRPC, "Status codes and their use in gRPC"). */
export const grpcCodes = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const

export type GrpcCode = (typeof grpcCodes)[keyof typeof grpcCodes]

/** How a call ends; `message` is for whoever reads the client's log. */
export interface GrpcStatus {
  readonly code: GrpcCode
  readonly message: string
}

/** A status as HTTP/2 header fields, for trailers or for an answer without any message (gRPC over HTTP2, "Responses"). */
export function statusFields({ code, message }: GrpcStatus): Readonly<Record<string, string>> {
  return { 'grpc-status': String(code), ...(message !== '' && { 'grpc-message': percentEncoded(message) }) }
}

/** All bytes but printable ASCII, and the percent sign itself, as `%XX` of their UTF-8 (gRPC over HTTP2, "Percent-Encoded"). */
function percentEncoded(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^ -$&-~]+/gu, part => [...Buffer.from(part)].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''))
}
