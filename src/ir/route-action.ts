import type { IrAddedHeader } from './cluster-options.ts'

/** Requests go on to a cluster. */
export interface IrForward {
  readonly kind: 'forward'
  readonly cluster: string
  /** Replaces the matched prefix; undefined leaves the path as it is. With a regex path: replaces the whole path. */
  readonly rewrite?: string
  /** Instead of `rewrite`: RE2, replaced wherever it matches the path. */
  readonly regexRewrite?: IrRegexRewrite
  /** The Host that the upstream sees; `auto`: its DNS name. */
  readonly hostRewrite?: { readonly kind: 'literal'; readonly host: string } | { readonly kind: 'auto' }
  /** Whole request, retries included; 0 = no limit. */
  readonly timeoutMs: number
  /** Of a stream without traffic; 0 = no limit. */
  readonly idleTimeoutMs?: number
  readonly retry?: { readonly on: string; readonly retries: number; readonly perTryTimeoutMs?: number }
  /** Protocols that a request may change to, such as websocket. */
  readonly upgrades?: readonly string[]
  /** Copies of requests go there, and answers to them nowhere. */
  readonly mirrors?: readonly { readonly cluster: string; readonly percent: number }[]
  readonly priority?: 'high'
  readonly hash?: IrHash
}

/** 301 to the https form of the same URL. */
export interface IrHttpsRedirect {
  readonly kind: 'https-redirect'
}

/** An answer that sends the client elsewhere. */
export interface IrRedirect {
  readonly kind: 'redirect'
  /** Absent: as the client asked. */
  readonly scheme?: 'https'
  readonly host: string
  readonly port?: number
  readonly path?:
    | { readonly kind: 'whole'; readonly path: string }
    | { readonly kind: 'prefix'; readonly path: string }
    | ({ readonly kind: 'regex' } & IrRegexRewrite)
  readonly code: 301 | 302 | 303 | 307 | 308
}

/** Envoy answers by itself. */
export interface IrAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly body: string
}

export interface IrRegexRewrite {
  readonly pattern: string
  readonly substitution: string
}

export type IrHash =
  | { readonly kind: 'cookie'; readonly name: string; readonly path: string; readonly ttlSeconds?: number }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'source-ip' }

/** What a route changes of headers; names in lower case. */
export interface IrHeaderChanges {
  readonly addRequest: readonly IrAddedHeader[]
  readonly removeRequest: readonly string[]
  readonly addResponse: readonly IrAddedHeader[]
  readonly removeResponse: readonly string[]
}

/** Which pages of other sites may read a route's answers. */
export interface IrCors {
  readonly origins: readonly string[]
  readonly methods: readonly string[]
  readonly headers: readonly string[]
  readonly exposedHeaders: readonly string[]
  readonly credentials: boolean
  /** Seconds, as written. */
  readonly maxAge?: string
}

/** The clusters that a route names. */
export function clustersOf({ cluster, mirrors = [] }: IrForward): readonly string[] {
  return [cluster, ...mirrors.map(mirror => mirror.cluster)]
}
