import { type GrpcStatus, grpcCodes } from './status.ts'

/** How the messages of a request may be compressed. */
export type Encoding = 'identity' | 'gzip' | 'deflate'

/** What of the header fields of a request counts. */
export interface RequestHead {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly encoding: Encoding
  /** So long may the call take; undefined: it says nothing. */
  readonly timeoutMs: number | undefined
}

/** No gRPC request: answered with an HTTP status if it is no gRPC at all, or else with a status of gRPC. */
export type RequestRefusal = { readonly httpStatus: number } | { readonly status: GrpcStatus }

/** The compressions that are understood, as `grpc-accept-encoding` tells them. */
export const acceptedEncodings = 'identity,deflate,gzip'

const encodings: readonly (string | undefined)[] = ['identity', 'gzip', 'deflate'] satisfies readonly Encoding[]

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** Judges the header fields of a request (gRPC over HTTP2, "Requests"): HTTP/2 itself was judged before. */
export function readRequestHead(fields: Readonly<Record<string, string | readonly string[] | undefined>>): RequestHead | RequestRefusal {
  const field = (name: string): string | undefined => {
    const value = fields[name]
    return typeof value === 'string' ? value : undefined
  }
  // "gRPC servers SHOULD respond with HTTP status of 415". gRPC-Web's type begins alike, and is another protocol.
  if (!/^application\/grpc(?:$|[+;])/.test(field('content-type') ?? '')) return { httpStatus: 415 }
  if (field(':method') !== 'POST') return { httpStatus: 405 }
  const encoding = field('grpc-encoding') ?? 'identity'
  if (!isEncoding(encoding))
    return { status: { code: grpcCodes.unimplemented, message: `messages compressed by ${encoding} are not understood` } }
  const timeout = field('grpc-timeout')
  const timeoutMs = timeout === undefined ? undefined : durationMs(timeout)
  if (Number.isNaN(timeoutMs)) return { status: { code: grpcCodes.internal, message: 'grpc-timeout is no duration' } }
  return { path: field(':path') ?? '', encoding, timeoutMs }
}

function isEncoding(text: string): text is Encoding {
  return encodings.includes(text)
}

/** At most eight digits and a unit; NaN if it is anything else. */
function durationMs(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? []
  return Number(digits) * (unitsMs[unit] ?? Number.NaN)
}
