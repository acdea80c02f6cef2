type Environment = Readonly<Record<string, string | undefined>>

/** Which objects of a cluster are looked at. */
export interface ManifestScope {
  /** Undefined: all. */
  readonly namespaces: readonly string[] | undefined
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

/**
 * The namespaces of the source's settings, and what Emissary's environment says (emissary-resources.md 13): AMBASSADOR_SINGLE_NAMESPACE
 * (true: only the gateway's own; "false" and "0" mean false), AMBASSADOR_LABEL_SELECTOR, AMBASSADOR_FIELD_SELECTOR.
 * @param namespaces `["*"]` or empty: all
 */
export function scopeOf(namespaces: readonly string[], environment: Environment): ManifestScope {
  const labelSelector = environment['AMBASSADOR_LABEL_SELECTOR'] ?? ''
  const fieldSelector = environment['AMBASSADOR_FIELD_SELECTOR'] ?? ''
  return {
    namespaces: isOn(environment['AMBASSADOR_SINGLE_NAMESPACE'])
      ? [ownNamespace(environment) ?? 'default']
      : namespaces.length === 0 || namespaces.includes('*')
        ? undefined
        : [...new Set(namespaces)],
    ...(labelSelector === '' ? {} : { labelSelector }),
    ...(fieldSelector === '' ? {} : { fieldSelector }),
  }
}

/** The namespace that the gateway itself runs in; undefined if its environment does not say. */
export function ownNamespace(environment: Environment): string | undefined {
  return environment['POD_NAMESPACE'] ?? environment['AMBASSADOR_NAMESPACE']
}

/** Any text but these means yes, as Emissary's users have it. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false', 'no', 'off'].includes(value.toLowerCase())
}
