import type { Clock, SourceLog } from '../discovery/contract.ts'
import type { Manifest } from './object.ts'

/** A source of configuration objects: same form as a DiscoverySource. A group (one file, one cluster's kind) is replaced as a whole. */
export interface ManifestSource {
  run(context: ManifestContext): Promise<void>
}

export interface ManifestContext {
  readonly signal: AbortSignal
  emit(groups: readonly ManifestGroup[]): void
  /** Everything that exists was emitted; groups not repeated since the run began are pruned. */
  synced(): void
  readonly log: SourceLog
  readonly clock: Clock
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
  /** `file:line`. */
  readonly at: string
  readonly text: string
}
