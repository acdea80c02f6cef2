/** An endpoint that takes mutual TLS of a service mesh and nothing else. Its `certificate` and `validation` are names of secrets. */
export interface MeshPeer {
  /** What its certificate must be for, as a URI: `spiffe://TRUSTDOMAIN/ns/default/dc/DC/svc/NAME`. */
  readonly identity: string
  /** Shown to it. */
  readonly certificate: string
  /** Whose certificates it may have. */
  readonly validation: string
}

/** The same without what it takes to speak to it: it is not dialled at all. */
export interface MeshLocked {
  /** Why, as a sentence. */
  readonly locked: string
}

export type Mesh = MeshPeer | MeshLocked

export function sameMesh(a: Mesh | undefined, b: Mesh | undefined): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  if ('locked' in a || 'locked' in b) return 'locked' in a && 'locked' in b && a.locked === b.locked
  return a.identity === b.identity && a.certificate === b.certificate && a.validation === b.validation
}
