import type { IrErrorOverride, IrHttpOptions, IrLocalRateLimit } from './http-options.ts'
import type { ObjectRef } from '../model/object-ref.ts'

/** What HTTP listeners do with every request: services that they ask or tell, in the order in which a request meets them, and options. */
export interface IrHttpServices {
  readonly auth: readonly IrAuth[]
  readonly rateLimits: readonly IrRateLimit[]
  readonly logs: readonly IrLog[]
  readonly tracing?: IrTracing
  readonly options: IrHttpOptions
  /** Whose the options are: the Module. */
  readonly optionsOrigin?: ObjectRef
}

/** Where a service is. */
export interface IrService {
  readonly cluster: string
  /** The name it is called by: cluster names are no host names, and servers refuse those as `:authority`. */
  readonly authority: string
}

/** Asks a service whether a request may go on. */
export interface IrAuth {
  /** Unique; the name by which routes switch it. */
  readonly filter: string
  /** Undefined: the object cannot be used, and nothing passes it but what would not be asked about (it fails closed). */
  readonly check: IrAuthCheck | undefined
  /** Only routes that name it are asked about. */
  readonly optIn: boolean
  readonly origin: ObjectRef
}

export interface IrAuthCheck {
  readonly service: IrService
  readonly protocol: 'http' | 'grpc'
  readonly timeoutMs: number
  /** Put before the path of the request that asks (http). */
  readonly pathPrefix: string
  /** Sent with the question, lower case. */
  readonly addHeaders: Readonly<Record<string, string>>
  /** Of the request, sent with the question (http). */
  readonly requestHeaders: readonly string[]
  /** Of the answer, sent on: to the upstream when it allows, to the client when it denies (http). */
  readonly answerHeaders: readonly string[]
  readonly body?: { readonly maxBytes: number; readonly allowPartial: boolean }
  /** Answer to the client when the service does not answer. */
  readonly statusOnError: number
  /** Lets requests pass when the service does not answer. */
  readonly failOpen: boolean
}

/** Asks a service whether a request's descriptors are within their limits. */
export interface IrRateLimit {
  readonly filter: string
  readonly service: IrService
  readonly domain: string
  /** Which of a route's descriptors are this service's: 0 to 10. */
  readonly stage: number
  readonly timeoutMs: number
  readonly failClosed: boolean
  /** gRPC clients get RESOURCE_EXHAUSTED instead of UNAVAILABLE. */
  readonly resourceExhausted: boolean
  readonly origin: ObjectRef
}

/** Tells a service about each finished request and connection. */
export interface IrLog {
  readonly name: string
  /** Which of Envoy's entries the service understands. `tcp`: also connections that TCPMappings take. */
  readonly driver: 'http' | 'tcp'
  readonly service: IrService
  readonly flushIntervalMs: number
  readonly flushBytes: number
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  readonly responseTrailers: readonly string[]
  readonly origin: ObjectRef
}

/** Sends spans to a collector. */
export interface IrTracing {
  readonly collector: IrCollector
  /** Percent; undefined: Envoy's 100. */
  readonly sampling: { readonly client?: number; readonly random?: number; readonly overall?: number }
  readonly tags: readonly IrTag[]
  readonly origin: ObjectRef
}

export type IrCollector =
  | {
      readonly kind: 'zipkin'
      readonly service: IrService
      readonly endpoint: string
      readonly version: 'HTTP_JSON' | 'HTTP_PROTO'
      readonly hostname: string | undefined
      readonly traceId128: boolean
      readonly sharedSpanContext: boolean
    }
  | { readonly kind: 'datadog' | 'opentelemetry'; readonly service: IrService; readonly serviceName: string }

export type IrTag =
  | { readonly tag: string; readonly kind: 'literal'; readonly value: string }
  | { readonly tag: string; readonly kind: 'environment' | 'request_header'; readonly name: string; readonly defaultValue: string }

/** The answers to errors that routes have of their own. */
export const errorsFilter = 'errors'
/** The Module's answers to errors: only where it has some. Routes with answers of their own switch it off, as its statuses would count for them, too. */
export const commonErrorsFilter = 'common errors'
/** Every listener has it, and it does nothing where a route says nothing. */
export const localLimitFilter = 'local rate limit'

/** What a route says to one of the services above, or to a filter that Envoys have of their own. */
export type IrRouteFilter =
  | { readonly filter: string; readonly kind: 'off' }
  | { readonly filter: string; readonly kind: 'auth'; readonly context: Readonly<Record<string, string>> }
  | { readonly filter: typeof errorsFilter; readonly kind: 'errors'; readonly overrides: readonly IrErrorOverride[] }
  | { readonly filter: typeof localLimitFilter; readonly kind: 'local-limit'; readonly limit: IrLocalRateLimit }

/** One descriptor of a route: parts of the request that are counted together. */
export interface IrDescriptor {
  readonly stage: number
  readonly entries: readonly IrDescriptorEntry[]
}

export type IrDescriptorEntry =
  | { readonly kind: 'source_cluster' | 'destination_cluster' | 'remote_address' }
  | { readonly kind: 'generic_key'; readonly key: string; readonly value: string }
  /** `optional`: without the header the rest of the descriptor counts; otherwise the descriptor is left out. */
  | { readonly kind: 'request_header'; readonly key: string; readonly header: string; readonly optional: boolean }

export const noHttpServices: IrHttpServices = Object.freeze({ auth: [], rateLimits: [], logs: [], options: {} })
