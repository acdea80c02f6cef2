import type { JudgedChecks } from './check-health.ts'
import type { Health, Presence } from './health.ts'
import type { Mesh } from './mesh.ts'
import type { Reason } from './reason.ts'

/** Where an instance runs; unknown parts are empty strings. */
export interface Locality {
  readonly region: string
  readonly zone: string
  readonly subzone: string
}

/**
 * One address and port of one instance, as one source sees it: a frozen value (DESIGN.md, central types).
 * Make it with `makeEndpoint`, which fills the defaults and shares equal parts.
 */
export interface Endpoint {
  /** Canonical IP address (IPv6 compressed, IPv4-mapped unwrapped). Never a host name: EDS needs addresses. */
  readonly address: string
  /** Its addresses of the other family (canonical IPs): the same process, dialled when `address` does not answer. */
  readonly additionalAddresses: readonly string[]
  /** 1 to 65535. */
  readonly port: number
  /** Name of the port, empty when it has none. */
  readonly portName: string
  /** Number under which the registry's service has this port (a Kubernetes Service's `port`); 0 where it has no other than `port`. */
  readonly servicePort: number
  readonly protocol: 'tcp' | 'udp'
  /** Integer of at least 1, on the fixed scale where 100 is an ordinary instance (reference/discovery.md 1.5). */
  readonly weight: number
  readonly locality: Locality
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
  /**
   * The instance within its source (agent id, Consul node/service id, pod UID). Endpoints of one service and source with equal ids
   * are ports of the same instance.
   */
  readonly id: string
  readonly health: Health
  readonly presence: Presence
  /** Why health and presence are what they are; empty for a plainly healthy, live endpoint. */
  readonly reasons: readonly Reason[]
  /** Checks behind its health, where a source tells of them and they are not all passing. */
  readonly checks?: JudgedChecks
  /** It takes mutual TLS of a mesh and nothing else; undefined: anything. */
  readonly mesh?: Mesh
}

const nowhere: Locality = Object.freeze({ region: '', zone: '', subzone: '' })
const noTags: readonly string[] = []
const noAddresses: readonly string[] = []
const noMeta: Readonly<Record<string, string>> = Object.freeze({})
const noReasons: readonly Reason[] = []

/** Fills what is left out: tcp, unnamed port, no service port, no further address, weight 100, no locality, tags or meta, healthy, live. The result is frozen. */
export function makeEndpoint(given: Pick<Endpoint, 'address' | 'port' | 'id'> & Partial<Endpoint>): Endpoint {
  return Object.freeze({
    address: given.address,
    additionalAddresses:
      given.additionalAddresses === undefined || given.additionalAddresses.length === 0 ? noAddresses : given.additionalAddresses,
    port: given.port,
    portName: given.portName ?? '',
    servicePort: given.servicePort ?? 0,
    protocol: given.protocol ?? 'tcp',
    weight: given.weight ?? 100,
    locality: given.locality ?? nowhere,
    tags: given.tags === undefined || given.tags.length === 0 ? noTags : given.tags,
    meta: given.meta ?? noMeta,
    id: given.id,
    health: given.health ?? 'healthy',
    presence: given.presence ?? 'live',
    reasons: given.reasons === undefined || given.reasons.length === 0 ? noReasons : given.reasons,
    ...(given.checks === undefined ? {} : { checks: given.checks }),
    ...(given.mesh === undefined ? {} : { mesh: given.mesh }),
  })
}
