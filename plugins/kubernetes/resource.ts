/** A resource of the API, by its path. The core group is ''. */
export interface KubeResource {
  readonly group: string
  readonly version: string
  readonly plural: string
}

/** Any object of the API as it comes; everything beyond the metadata is for the reader to check. */
export interface KubeObject {
  readonly metadata: KubeMetadata
  readonly [field: string]: unknown
}

export interface KubeMetadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  /** Opaque: only equality means something. */
  readonly resourceVersion?: string
  readonly generation?: number
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** What is kept of an object, and which version of which incarnation of it that is. */
export interface Versioned<T> {
  readonly version: string
  readonly value: T
}

/** A complete list. */
export interface Listed<T> {
  readonly items: ReadonlyMap<string, Versioned<T>>
  /** From where to watch. */
  readonly version: string
}

/** `namespace/name`; `/name` for what has no namespace. */
export function keyOf({ namespace = '', name }: KubeMetadata): string {
  return `${namespace}/${name}`
}

/** Tells two states of an object, and two objects of one name, apart. */
export function versionOf({ uid = '', resourceVersion = '' }: KubeMetadata): string {
  return `${uid} ${resourceVersion}`
}

/** The path of a resource, of all namespaces or of one. */
export function collectionPath({ group, version, plural }: KubeResource, namespace?: string): string {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return `${base}${namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${plural}`
}
