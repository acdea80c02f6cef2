import type { Place, Resource } from './resource.ts'
import type { ResourceType } from './type-urls.ts'

/** What one Envoy has of one type, over all its streams. */
export interface ProxyTypeStatus {
  readonly type: ResourceType
  readonly protocol: 'delta' | 'sotw'
  readonly subscribed: number | 'all'
  /** Nonce counters: responses sent, acknowledged, rejected. */
  readonly sent: number
  readonly acked: number
  readonly nacked: number
  /** Wall clock ms. */
  readonly lastSentAt: number | undefined
  readonly lastAckAt: number | undefined
  /** Resources that this Envoy was sent and has not acknowledged, or that wait for something they require. */
  readonly pending: number
  readonly lastNack: { readonly text: string; readonly at: number; readonly code: number; readonly names: readonly string[] } | undefined
  readonly state: 'synced' | 'pending' | 'rejected'
}

export interface ProxyStatus {
  readonly nodeId: string
  readonly cluster: string
  readonly version: string
  readonly address: string
  /** Where it says it is. */
  readonly place: Place | undefined
  readonly connectedAt: number
  readonly disconnectedAt: number | undefined
  readonly streams: number
  readonly types: readonly ProxyTypeStatus[]
  readonly state: 'synced' | 'pending' | 'rejected' | 'disconnected'
}

/** One resource at one Envoy. */
export interface ProxyResourceStatus {
  readonly name: string
  readonly sentVersion: string | undefined
  readonly ackedVersion: string | undefined
  readonly currentVersion: string | undefined
  readonly state: 'synced' | 'pending' | 'rejected' | 'waiting'
}

/** What one Envoy refuses of what is served now. */
export interface Refusal {
  readonly nodeId: string
  readonly refused: Resource
  /** What it has instead, as far as this stream knows. */
  readonly acked: Resource | undefined
  /** The text of its last NACK of that type. */
  readonly text: string
}

/** The read-only face of the xDS server. A disconnected Envoy is remembered for an hour. */
export interface ProxiesReader {
  proxies(): readonly ProxyStatus[]
  proxy(nodeId: string): ProxyStatus | undefined
  resources(nodeId: string, type: ResourceType): readonly ProxyResourceStatus[]
  /** Of all connected Envoys; empty when all is well. */
  refusals(): readonly Refusal[]
}
