import type { Clock, SourceLog } from '../discovery/contract.ts'
import type { Manifest } from './object.ts'
import type { ObjectStatus } from './status.ts'

/** A source of configuration objects: same form as a DiscoverySource. A group (one file, one cluster's kind) is replaced as a whole. */
export interface ManifestSource {
  run(context: ManifestContext): Promise<void>
}

export interface ManifestContext {
  readonly signal: AbortSignal
  emit(groups: readonly ManifestGroup[]): void
  /** Everything that exists was emitted; groups not repeated since the run began are pruned. */
  synced(): void
  /**
   * Reads an object as the Kubernetes API has it (JSON), and the objects in its annotation.
   * @param at what messages name as its place
   */
  read(value: unknown, at: string): Pick<ManifestGroup, 'objects' | 'problems'>
  /** Secrets that objects refer to, as `namespace/name`: no other one is to be read. */
  readonly secrets: { keys(): Iterable<string>; onChange(callback: () => void): () => void }
  /** What becomes of the objects of all sources, for a source that reports it back. */
  readonly statuses: StatusFeed
  readonly log: SourceLog
  readonly clock: Clock
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number
}

/** A status's `ref` is the very one of the manifest that was emitted. Reading costs in proportion to the number of objects. */
export interface StatusFeed {
  read(): readonly ObjectStatus[]
  /** Calls back after every compilation until the returned function is called. */
  onChange(callback: () => void): () => void
}

/** A plugin whose sources also hold objects of the configuration: `manifests: [{ type, source }]` reads them there. */
export interface ManifestPlugin<Settings = unknown> {
  /** @param settings the source's own keys, as its SourcePlugin gets them */
  manifests(settings: Settings, given: ManifestGiven): ManifestSource
}

export interface ManifestGiven {
  /** Of the source. */
  readonly name: string
  /** Kinds to read. */
  readonly kinds: readonly ManifestKind[]
  /** Of the gateway; unique among replicas of one. */
  readonly identity: string
  /** What the gateway is called in `ambassador_id`; replicas of one have the same. */
  readonly ambassadorIds: readonly string[]
  /** Keys of the entry in `manifests` beside type and source. */
  readonly publish: ManifestPublish
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** What is written back: by default statuses, with no address for Ingresses. */
export interface ManifestPublish {
  readonly status: boolean
  /** `namespace/name` of the Service whose load-balancer addresses Ingresses get. */
  readonly service?: string
  /** Addresses or host names that Ingresses get instead. */
  readonly addresses?: readonly string[]
}

export interface ManifestKind {
  readonly apiVersion: string
  readonly kind: string
}

export interface ManifestGroup {
  readonly id: string
  readonly objects: readonly Manifest[]
  /**
   * Parts of the group that could not be read at all (no YAML, no kind): shown in the status. A document that fails takes nothing else
   * with it; when the whole file is unreadable `keep` is true and the former objects of the group stay in force.
   */
  readonly problems: readonly ManifestProblem[]
  readonly keep?: boolean
}

export interface ManifestProblem {
  readonly code: 'manifest-invalid' | 'manifest-unreadable'
  /** `file:line`, or as `read` was told. */
  readonly at: string
  readonly text: string
}
