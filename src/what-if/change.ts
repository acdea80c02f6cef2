import type { Manifest } from '../manifests/object.ts'
import type { Override } from '../model/override.ts'
import type { SourceGuards } from '../model/pool-rule.ts'

/** Something that might be done, or happen. */
export interface Change {
  /** In the place of the objects of the same kind, namespace and name, or beside the others. */
  readonly objects: readonly Manifest[]
  /** Objects that are deleted: `kind/namespace/name`. */
  readonly without: ReadonlySet<string>
  /** Decisions of operators; one of an id that is in force replaces that. */
  readonly overrides: readonly Override[]
  /** Ids of overrides that are taken back. */
  readonly unset: ReadonlySet<string>
  /** What becomes of sources after that, one step on top of the other. At least one step; the first is at once. */
  readonly steps: readonly (readonly Fate[])[]
}

/** What becomes of all that a source told. */
export interface Fate {
  readonly source: { readonly name: string; readonly type: string }
  /**
   * `drop`: it is gone for good; `stale`: nothing was read of the source of late, so that others decide about what they know, too; `age`: it
   * was not read for longer than it may be, as `guards` or ServicePools say; `lapse`: the leases of its agents are over, nobody vouches for
   * its instances.
   */
  readonly kind: 'drop' | 'stale' | 'age' | 'lapse'
  /** Of the source. */
  readonly guards: SourceGuards | undefined
}
