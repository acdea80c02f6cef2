/** Names an object of the configuration and where it was read, so that every error and route can point at its origin. */
export interface ObjectRef {
  readonly kind: string
  /** '' where the kind has none. */
  readonly namespace: string
  readonly name: string
  /** `path/of/file.yaml:12` for files, `cluster-a` for a Kubernetes source; empty for synthetic objects. */
  readonly at: string
}

/** `Mapping default/web`, as commands and messages print it. */
export function refText(ref: Pick<ObjectRef, 'kind' | 'namespace' | 'name'>): string {
  return refParts(ref, ' ')
}

/** `Mapping/default/web`, one word that commands take. */
export function refWord(ref: Pick<ObjectRef, 'kind' | 'namespace' | 'name'>): string {
  return refParts(ref, '/')
}

function refParts({ kind, namespace, name }: Pick<ObjectRef, 'kind' | 'namespace' | 'name'>, separator: string): string {
  return `${kind}${separator}${namespace === '' ? '' : `${namespace}/`}${name}`
}
