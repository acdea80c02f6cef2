import type { ObjectRef } from '../model/object-ref.ts'

/** An object of the configuration as it was read: nothing checked yet but that it is a mapping with apiVersion, kind and a name. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  /** '' where the kind has none. */
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** For .spec; `{}` when absent. */
  readonly spec: unknown
  readonly ref: ObjectRef
  /**
   * Where a field of this object stands, as `file:line`, for messages; path as in JSON, e.g. `['spec', 'headers', 'x-a']`. The nearest
   * existing ancestor is taken.
   */
  locate(path: readonly (string | number)[]): string
}

/** Kinds whose objects stand in no namespace: theirs is ''. */
export const clusterScopedKinds: ReadonlySet<string> = new Set(['IngressClass', 'GatewayClass'])
