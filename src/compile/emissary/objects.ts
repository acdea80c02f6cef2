import type { Checked, CheckedObject } from '../../manifests/checked-object.ts'
import type { Manifest } from '../../manifests/object.ts'

/** The objects of one pass by kind: those that serve, and all as they were written. Lists are in the order given. */
export class Objects {
  readonly #serving: ReadonlyMap<string, readonly CheckedObject[]>
  readonly #written: ReadonlyMap<string, readonly Manifest[]>

  constructor(serving: readonly CheckedObject[], written: readonly Manifest[]) {
    this.#serving = Map.groupBy(serving, ({ kind }) => kind)
    this.#written = Map.groupBy(written, ({ kind }) => kind)
  }

  /** Those of a kind that serve, as they stand or as they were last good. */
  of<Kind extends CheckedObject['kind']>(kind: Kind): readonly Extract<CheckedObject, Checked<Kind>>[] {
    return (this.#serving.get(kind) ?? []) as readonly Extract<CheckedObject, Checked<Kind>>[]
  }

  /** All of a kind that are meant for this gateway, usable or not. */
  written(kind: CheckedObject['kind']): readonly Manifest[] {
    return this.#written.get(kind) ?? []
  }

  /** All of both, but for some kinds. */
  except(kinds: ReadonlySet<string>): readonly (CheckedObject | Manifest)[] {
    const lists: readonly (readonly [string, readonly (CheckedObject | Manifest)[]])[] = [...this.#serving, ...this.#written]
    return lists.flatMap(([kind, list]) => (kinds.has(kind) ? [] : list))
  }
}
