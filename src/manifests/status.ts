import type { ObjectRef } from '../model/object-ref.ts'

/** What became of one object of the configuration. */
export interface ObjectStatus {
  readonly ref: ObjectRef
  readonly apiVersion: string
  /** `ignored`: not ours (another ambassador_id, a kind we do not serve). `refused` objects never take others with them. */
  readonly state: 'accepted' | 'refused' | 'ignored'
  readonly problems: readonly FieldProblem[]
  /** It is `ignored` because it is another gateway's: its status is not ours to write. */
  readonly foreign?: true
  /** Compile has not seen the object as it stands now: what is said here may change at once. */
  readonly pending?: true
  /** What of it reaches no Envoy, and why, though nothing is wrong with the object itself. */
  readonly unserved?: string
  /** What Envoys said against what was made of it; they go on with what they had. */
  readonly rejections?: readonly Rejection[]
  /** Things worth knowing that change nothing, such as fields without effect: those are never silent (emissary-resources.md). */
  readonly notices: readonly string[]
  /** The object is refused, and its last good version goes on serving. */
  readonly lastGood: boolean
}

export interface FieldProblem {
  /** `spec.headers.x-a`; empty for the object as a whole. */
  readonly path: string
  /** What is wrong, with what, and what to do. */
  readonly text: string
  /** `file:line`. */
  readonly at: string
}

/** One Envoy that refuses something that an object is part of. */
export interface Rejection {
  /** Its node id. */
  readonly proxy: string
  /** Type and name, `listener listener-8080`. */
  readonly resource: string
  /** The Envoy's own words. */
  readonly text: string
}
