import type { Mesh } from '../model/mesh.ts'
import type { Endpoint } from '../model/endpoint.ts'
import type { Health, Presence } from '../model/health.ts'
import type { Override } from '../model/override.ts'
import type { PoolMember, PoolMode, PoolRule } from '../model/pool-rule.ts'
import type { Reason } from '../model/reason.ts'
import type { ServiceKey } from '../model/service-key.ts'

/** One source's word on an endpoint. */
export interface Evidence {
  readonly source: string
  readonly sourceType: string
  /** Id of the EndpointGroup it came in. */
  readonly group: string
  readonly endpoint: Endpoint
}

/** One address and port of the pool: what all evidence together says, and why. Never changed; keeps its identity while nothing about it changes. */
export interface PoolEndpoint {
  /** The deciding evidence's endpoint, with health, weight and reasons as decided. */
  readonly address: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
  /** Its addresses of the other family, as every source names them: the same process, dialled when `address` does not answer. Sorted. */
  readonly additionalAddresses: readonly string[]
  readonly health: Health
  readonly presence: Presence
  readonly weight: number
  /** The evidence that won; its endpoint gives port name, locality, tags, meta and id. */
  readonly winner: Evidence
  /** All evidence, winner first. */
  readonly evidence: readonly Evidence[]
  /** The winner's reasons plus the merge's own. */
  readonly reasons: readonly Reason[]
  /** Through which member of a ServicePool it is there; undefined in an implicit pool. */
  readonly member?: PoolMember
  /** Envoy is not told of it; the reasons say why. */
  readonly excluded?: true
  /** It takes mutual TLS of a mesh only: clusters without it do not get it, and it is `excluded` while it is locked. */
  readonly mesh?: Mesh
  /** Why it is left out whatever its sources say of it: it is not what they take it for. */
  readonly barred?: Reason
  /** What an operator decided about it. */
  readonly override?: Override
  /** No source names it any more: it drains, and is dropped at this time of the table's clock (ms). Its evidence is the last there was. */
  readonly goneAt?: number
}

/** The merge result of one service: canonical order (address, port, protocol), never changed; an equal result is the same object. */
export interface PoolView {
  readonly service: ServiceKey
  readonly mode: PoolMode
  /** Of the ServicePool that it is; undefined for the implicit union of what every source knows under the key. */
  readonly rule?: PoolRule
  readonly endpoints: readonly PoolEndpoint[]
  /** Names of the sources that know the service now, sorted. */
  readonly sources: readonly string[]
  /** Some address is IPv6: there may be families to join. */
  readonly hasIpv6?: true
}
