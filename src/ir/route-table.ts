import type { MeshPeer } from '../model/mesh.ts'
import type { ObjectRef } from '../model/object-ref.ts'
import type { AssignmentSpec } from './assignment.ts'
import type { IrClusterOptions } from './cluster-options.ts'
import { type IrDescriptor, type IrHttpServices, type IrRouteFilter, noHttpServices } from './http-services.ts'
import type { IrPool } from './pool.ts'
import type { IrAnswer, IrCors, IrForward, IrHeaderChanges, IrHttpsRedirect, IrRedirect } from './route-action.ts'
import type { IrSecret } from './secret.ts'
import type { IrHandshake } from './tls.ts'

/**
 * What users asked for, without any Envoy message: the middle form between manifests and xDS (style.md, principle 15). Plain frozen
 * data; every part names the objects it came from. Lists are in the order they are matched or, where order has no meaning, sorted by name.
 */
export interface RouteTable {
  readonly listeners: readonly IrListener[]
  readonly routeConfigs: readonly IrRouteConfig[]
  readonly clusters: readonly IrCluster[]
  readonly http: IrHttpServices
  /** Certificates and authorities that listeners and clusters name. */
  readonly secrets: readonly IrSecret[]
}

export interface IrListener {
  /** Unique; the xDS name. */
  readonly name: string
  readonly address: string
  readonly port: number
  readonly statPrefix: string
  /** HTTP/3 over UDP; else TCP. */
  readonly quic?: true
  /** Answers tell clients to come by HTTP/3 to this port. */
  readonly altSvcPort?: number
  /** Requests at a time of one HTTP/2 connection; undefined: Envoy's own. */
  readonly http2MaxConcurrentStreams?: number
  /** A PROXY header (v1 or v2) comes before everything else; where it is optional, connections without one are taken, too. */
  readonly proxyProtocol?: 'required' | 'optional'
  /** What connections get: with TLS, the chain whose server name fits best; else the only one. */
  readonly chains: readonly IrChain[]
  /** `X-Forwarded-Proto` is trusted from this many hops. */
  readonly trustedHops: number
  /** What the listener takes its requests for: INSECURE: cleartext, SECURE: TLS ended before us, XFP: by X-Forwarded-Proto. */
  readonly securityModel: 'INSECURE' | 'SECURE' | 'XFP'
  readonly origin: ObjectRef
}

export interface IrChain {
  /** Unique in its listener. */
  readonly name: string
  /** Names that clients ask for by SNI, exact or `*.suffix`; empty: any, or none. */
  readonly serverNames: readonly string[]
  /** Undefined: cleartext. */
  readonly tls?: IrTermination
  readonly serve: IrHttp | IrTcp
}

/** Requests go by the routes of an IrRouteConfig. */
export interface IrHttp {
  readonly kind: 'http'
  readonly routeConfig: string
}

/** Connections go through as they are. */
export interface IrTcp {
  readonly kind: 'tcp'
  readonly statPrefix: string
  /** Shares in proportion to their weights, each at least 1. */
  readonly clusters: readonly { readonly cluster: string; readonly weight: number }[]
  /** A connection without traffic is closed after this; 0: never; undefined: Envoy's hour. */
  readonly idleTimeoutMs?: number
}

/** How TLS from clients is ended. Certificates and authorities are names of secrets. */
export interface IrTermination extends IrHandshake {
  readonly certificate: string
  /** Whose certificates clients may show; they need not, unless `clientCertificateRequired`. */
  readonly validation?: string
  readonly clientCertificateRequired: boolean
}

export interface IrRouteConfig {
  readonly name: string
  readonly virtualHosts: readonly IrVirtualHost[]
}

export interface IrVirtualHost {
  readonly name: string
  /** Exact, `*.suffix`, `prefix.*` or `*`, without port; Envoy's order of precedence applies. */
  readonly domains: readonly string[]
  readonly routes: readonly IrRoute[]
  readonly origin: ObjectRef
}

/** First match wins. */
export interface IrRoute {
  readonly match: IrMatch
  readonly action: IrForward | IrRedirect | IrHttpsRedirect | IrAnswer
  /** The Mapping it serves; of an https redirect, all Mappings of the group. */
  readonly origins: readonly ObjectRef[]
  /** The Mapping's share of its group in percent, for people; undefined on redirects. The split itself is `match.percent`. */
  readonly weight?: number
  readonly headers?: IrHeaderChanges
  readonly cors?: IrCors
  /** What it says to the services that listeners call. */
  readonly filters?: readonly IrRouteFilter[]
  /** What is counted of its requests. */
  readonly descriptors?: readonly IrDescriptor[]
}

export interface IrMatch {
  /** `segments`: a prefix that ends where a segment ends, `/a` for /a and /a/b and not for /ab; without a slash at its end. */
  readonly path: { readonly kind: 'prefix' | 'segments' | 'exact' | 'regex'; readonly value: string; readonly caseSensitive: boolean }
  readonly headers: readonly IrValueMatch[]
  readonly query: readonly IrValueMatch[]
  /**
   * Running sum of a split in whole percent; undefined = all. Envoy draws one random number per request and asks every route with it, so
   * of two routes with 30 and 100 the first takes 30 % and the second exactly the remaining 70 %.
   */
  readonly percent?: number
  /**
   * Denominator of Envoy's fraction (numerator = percent * percentOf / 100). The draw is taken modulo it: 100 reads its last two decimal
   * digits, 10,000 and 1,000,000 decide by the digits before, so splits that requests pass one after the other stay independent.
   */
  readonly percentOf?: 100 | 10_000 | 1_000_000
}

/** `name` is lower case for headers; `:method` and `:authority` are headers as in Envoy. */
export interface IrValueMatch {
  readonly name: string
  readonly kind: 'exact' | 'regex' | 'present'
  readonly value: string
  /** The condition is that this does *not* match. */
  readonly invert?: boolean
}

export type LoadBalancing = 'round_robin' | 'least_request' | 'ring_hash' | 'maglev'

export type IrCluster = IrClusterBase & (IrEds | IrDns | IrStatic)

interface IrClusterBase {
  /** Unique; the xDS name, made of what distinguishes it, so that equal upstreams of several Mappings share one cluster. */
  readonly name: string
  readonly statName: string
  readonly loadBalancing: LoadBalancing
  readonly connectTimeoutMs: number
  /** The upstream speaks HTTP/2, gRPC above all. */
  readonly http2?: true
  readonly options?: IrClusterOptions
  readonly origins: readonly ObjectRef[]
}

interface IrEds {
  readonly kind: 'eds'
  readonly assignment: AssignmentSpec
  /** Of the ServicePool behind it, if there is one. */
  readonly pool?: IrPool
  /** Those of its endpoints that are reached by mutual TLS, by identity; the secrets they name exist. */
  readonly mesh?: readonly MeshPeer[]
}

interface IrDns {
  readonly kind: 'strict_dns'
  readonly host: string
  readonly port: number
}

interface IrStatic {
  readonly kind: 'static'
  readonly address: string
  readonly port: number
}

export const emptyRouteTable: RouteTable = Object.freeze({
  listeners: [],
  routeConfigs: [],
  clusters: [],
  http: noHttpServices,
  secrets: [],
})
