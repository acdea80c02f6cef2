import type { IrHeaderCase } from './http-options.ts'
import type { IrHandshake } from './tls.ts'

/** What an object asks of the cluster it uses, beyond where it leads; everything is optional. */
export interface IrClusterOptions {
  /** TLS to the upstream. */
  readonly tls?: IrOrigination
  readonly circuitBreakers?: readonly IrCircuitBreaker[]
  /** Of Envoy's OutlierDetection, by its field names: counts, percentages and switches; times in ms. */
  readonly outlierDetection?: Readonly<Record<string, number | boolean>>
  readonly healthChecks?: readonly IrHealthCheck[]
  /** Of TCP; s, Envoy leaves to the system what is left out. */
  readonly keepalive?: { readonly probes?: number; readonly idleSeconds?: number; readonly intervalSeconds?: number }
  /** An upstream connection without requests is closed after this; 0: never. */
  readonly idleTimeoutMs?: number
  /** An upstream connection of this age takes no more requests. */
  readonly maxLifetimeMs?: number
  /** Only of HTTP/1 upstreams. */
  readonly headerCase?: IrHeaderCase
  /** Only of DNS clusters. */
  readonly dns?: { readonly logical: boolean; readonly respectTtl: boolean; readonly family: 'v4' | 'v6' | 'both' | 'v4-preferred' }
}

/** How TLS to an upstream is begun. Certificates and authorities are names of secrets. */
export interface IrOrigination extends IrHandshake {
  readonly sni?: string
  /** Shown to the upstream. */
  readonly certificate?: string
  /** Undefined: the upstream's certificate is not checked. */
  readonly validation?: string
  /** Names of which the certificate must have one; empty: only its chain is checked. */
  readonly subjects: readonly string[]
}

export interface IrCircuitBreaker {
  readonly priority: 'default' | 'high'
  readonly maxConnections?: number
  readonly maxPendingRequests?: number
  readonly maxRequests?: number
  readonly maxRetries?: number
}

export interface IrHealthCheck {
  readonly timeoutMs: number
  readonly intervalMs: number
  readonly unhealthyThreshold: number
  readonly healthyThreshold: number
  readonly probe: IrHttpProbe | IrGrpcProbe
}

export interface IrHttpProbe {
  readonly kind: 'http'
  readonly path: string
  readonly hostname: string | undefined
  readonly addHeaders: readonly IrAddedHeader[]
  readonly removeHeaders: readonly string[]
  /** Both ends included; empty: 200 only. */
  readonly statuses: readonly { readonly min: number; readonly max: number }[]
}

export interface IrGrpcProbe {
  readonly kind: 'grpc'
  readonly service: string
  readonly authority: string
}

export interface IrAddedHeader {
  readonly name: string
  readonly value: string
  /** Beside what is there, instead of in its place. */
  readonly append: boolean
}
