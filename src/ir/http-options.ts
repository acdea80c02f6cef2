/** How HTTP listeners treat connections and requests, all of them alike. What is absent is as Envoy has it. */
export interface IrHttpOptions {
  /** The client's address is taken from X-Forwarded-For as it stands, not from the connection. */
  readonly useRemoteAddress?: false
  /** In the header `server` of answers. */
  readonly serverName?: string
  /** A connection of a client without requests is closed after this; 0: never. */
  readonly idleTimeoutMs?: number
  readonly maxRequestHeadersKb?: number
  readonly underscores?: 'ALLOW' | 'REJECT_REQUEST' | 'DROP_HEADER'
  readonly mergeSlashes?: true
  /** Requests with %2F or %5C in their path get 400. */
  readonly rejectEscapedSlashes?: true
  /** The upstream does not see the port of the Host header if it is the listener's. */
  readonly stripPort?: true
  /** A client may choose the x-request-id. */
  readonly preserveRequestId?: true
  /** `Expect: 100-continue` goes to the upstream instead of being answered. */
  readonly continueByUpstream?: true
  readonly http10?: true
  readonly chunkedLength?: true
  readonly headerCase?: IrHeaderCase
  /** X-Forwarded-Client-Cert: what becomes of the client's, and what of its certificate is told. */
  readonly clientCertificate?: { readonly forward: IrForwardCertificate; readonly tell: readonly IrCertificatePart[] }
  /** Of each connection. */
  readonly bufferLimitBytes?: number
  /** Values of Envoy's own runtime, by their keys. */
  readonly runtime?: Readonly<Record<string, number>>
  /** No x-envoy-… headers towards upstreams and clients. */
  readonly suppressEnvoyHeaders?: true

  /** In HTTP/1.1 a gRPC request is an ordinary one, and the trailers of its answer are headers. */
  readonly grpcHttp1Bridge?: true
  readonly grpcWeb?: true
  readonly grpcStats?: IrGrpcStats
  /** A script that sees every request and answer. */
  readonly lua?: string
  /** Of answers, the preferred first. */
  readonly compressors?: readonly IrCompressor[]
  /** Requests are read whole before they go on, and may be as large as this. */
  readonly maxRequestBytes?: number
  readonly addressRules?: IrAddressRules
  readonly accessLog?: IrAccessLog
  /** Of all routes that say nothing else, and of requests without a route. */
  readonly errors?: readonly IrErrorOverride[]
  /** Some route answers in the place of errors. */
  readonly errorsOfRoutes?: true
}

/** What is answered in the place of any answer with a status, Envoy's own or an upstream's. */
export interface IrErrorOverride {
  readonly status: number
  readonly contentType: string
  /** A text, or the fields of a JSON object, with commands between `%` signs. */
  readonly body: string | Readonly<Record<string, string>>
}

/** How many requests of a route each Envoy lets through. */
export interface IrLocalRateLimit {
  /** In each interval. */
  readonly requests: number
  readonly intervalMs: number
  /** At once, after a time without requests. */
  readonly burst: number
  /** What the others get. */
  readonly status: number
  /** Each connection is counted for itself. */
  readonly perConnection: boolean
}

/** How names of headers are written in HTTP/1: `Content-Type`, or as the other side wrote them. */
export type IrHeaderCase = 'proper' | 'preserved'

export type IrForwardCertificate = 'SANITIZE' | 'FORWARD_ONLY' | 'APPEND_FORWARD' | 'SANITIZE_SET' | 'ALWAYS_FORWARD_ONLY'
export type IrCertificatePart = 'subject' | 'cert' | 'chain' | 'dns' | 'uri'

export interface IrGrpcStats {
  /** Of every method that is called, or of these, or of services without their methods. */
  readonly methods: 'all' | readonly { readonly service: string; readonly methods: readonly string[] }[]
  /** How long upstreams take, too. */
  readonly upstream: boolean
}

export type IrCompressor = IrCompression &
  (
    | {
        readonly kind: 'gzip'
        readonly memoryLevel?: number
        /** Envoy's names. */
        readonly level?: string
        readonly strategy?: string
        readonly windowBits?: number
      }
    | { readonly kind: 'brotli'; readonly quality?: number; readonly windowBits?: number }
  )

interface IrCompression {
  readonly minBytes?: number
  /** Empty: Envoy's own list. */
  readonly contentTypes: readonly string[]
  readonly notWithEtag: boolean
  /** The upstream does not learn that the client takes compressed answers. */
  readonly hideAcceptEncoding: boolean
}

/** Who may come in. `allow` without ranges lets nobody in. */
export interface IrAddressRules {
  readonly action: 'allow' | 'deny'
  readonly ranges: readonly {
    /** The address of the connection, or the client's as X-Forwarded-For and PROXY tell it. */
    readonly by: 'peer' | 'remote'
    readonly address: string
    readonly bits: number
  }[]
}

export interface IrAccessLog {
  readonly to: 'stdout' | 'stderr' | { readonly file: string }
  /** A line, or the fields of a JSON object. */
  readonly format: string | Readonly<Record<string, string>>
}
