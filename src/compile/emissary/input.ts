import type { CheckedObject } from '../../manifests/checked-object.ts'
import type { Finding } from '../../manifests/checked-object.ts'
import type { Manifest } from '../../manifests/object.ts'
import type { ObjectRef } from '../../model/object-ref.ts'
import type { IrSecret } from '../../ir/secret.ts'
import type { MeshPeer } from '../../model/mesh.ts'
import type { ServiceKey } from '../../model/service-key.ts'
import type { GrpcNames } from '../../ir/grpc-names.ts'
import type { PoolRule } from '../../model/pool-rule.ts'
import type { KnownSource } from '../pools/pool-rules.ts'
import type { RouteTable } from '../../ir/route-table.ts'

/** Everything that decides about routes. Equal input gives an equal result, whatever the order of the objects. */
export interface CompileInput {
  readonly objects: readonly CompileObject[]
  /** Some Host was written for this gateway, be it refused: no Host is made up then (it would open what the refused one closes). */
  readonly hostsDeclared: boolean
  readonly known: KnownServices
  /** What sources keep for speaking to their endpoints. */
  readonly sourceSecrets?: readonly IrSecret[]
  /** The Consul sources of the settings, none that were made for a ConsulResolver; undefined offline, where they are not known. */
  readonly consulSources: readonly ConsulSource[] | undefined
  /** All sources that run, for ServicePools; undefined offline, where they are not known. */
  readonly sources?: readonly KnownSource[] | undefined
  /** Wall clock in ms, to say which certificates are over; without it nothing is said. */
  readonly now?: number
  /**
   * For `$NAME` in a ConsulResolver's address, and what Emissary reads: AMBASSADOR_NAMESPACE (default), AMBASSADOR_ENVOY_BIND_ADDRESS (0.0.0.0),
   * DISABLE_STRICT_LABEL_SELECTORS (true: a Host adopts a Mapping if hostname or selector match, instead of both).
   */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Where the admin API listens; 8877 when absent. */
  readonly adminPort?: number
  /** Reads a small file of this machine; undefined offline, where nobody knows what will be there. */
  readonly readFile?: (path: string) => { readonly text: string } | { readonly problem: string }
}

/** An object as it stands now and as it last served. */
export interface CompileObject {
  readonly id: string
  /** As it stands, usable or not. */
  readonly manifest: Manifest
  /** Undefined when the object as it stands was refused on its own. */
  readonly current: CheckedObject | undefined
  readonly lastGood: CheckedObject | undefined
}

/** What the endpoint table knows. It only ever grows. */
export interface KnownServices {
  /** Some source has known this service since the start. */
  has(service: ServiceKey): boolean
  /** Some source has a service in this namespace, or is set to it. */
  hasNamespace(namespace: string): boolean
  /** Whom some endpoint of the service was reached as through a mesh since the start. */
  meshPeers?(service: ServiceKey): readonly MeshPeer[]
}

export interface ConsulSource {
  readonly name: string
  /** As in the settings: host[:port] or URL. */
  readonly address: string
  readonly datacenter: string | undefined
  /** Namespace of its services' keys. */
  readonly namespace: string
}

/** A Consul source that some ConsulResolver needs and the settings do not have. */
export interface ConsulRequest extends ConsulSource {
  /** The resolvers that ask for it. */
  readonly resolvers: readonly ObjectRef[]
}

export interface CompileResult {
  readonly table: RouteTable
  /** By `CompileObject.id`; every object of the input has one. */
  readonly verdicts: ReadonlyMap<string, Verdict>
  /** Names that no source knows and that would change the result: compile again when one becomes known. */
  readonly lookups: { readonly services: ReadonlySet<ServiceKey>; readonly namespaces: ReadonlySet<string> }
  /** How the endpoint table is to make its pools, one per ServicePool. */
  readonly pools: readonly PoolRule[]
  readonly consulRequests: readonly ConsulRequest[]
  /** The Secrets that objects refer to, found or not, as `namespace/name`: no other one needs to be read. */
  readonly secrets: ReadonlySet<string>
  /** What proxyless gRPC clients get; services that it asks about and nobody knows join `lookups`. */
  readonly grpc: GrpcNames
  /** Things wrong with the configuration as a whole. */
  readonly warnings: readonly string[]
}

/** What compile says about one object; `problems` are about the current version. */
export interface Verdict {
  readonly problems: readonly Finding[]
  readonly notices: readonly string[]
  /** What serves: the version as it stands, the last good one, or nothing. */
  readonly served: 'current' | 'lastGood' | 'none'
  /** What of it reaches no Envoy, and why, though nothing is wrong with the object itself. */
  readonly unserved?: string
  /** Why the object is none of this gateway's, if it is not. */
  readonly ignored?: string
}
