/** Names an object of the configuration and where it was read, so that every error and route can point at its origin. */
export interface ObjectRef {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  /** `path/of/file.yaml:12` for files, `cluster-a` for a Kubernetes source; empty for synthetic objects. */
  readonly at: string
}

/** `Mapping default/web`, as commands and messages print it. */
export function refText(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace}/${ref.name}`
}
