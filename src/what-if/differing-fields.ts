/** A value as text that is equal for equal values. Where objects were read (`origin`, `origins`) does not count: lines move. */
export function plain(value: unknown): string {
  return JSON.stringify([value], (key, part: unknown) => {
    if (key === 'origin' || key === 'origins') return undefined
    return part instanceof Map ? [...(part as ReadonlyMap<unknown, unknown>)] : part
  })
}

/** Paths of the fields in which two objects differ, sorted: `options.tls`. Within lists they are not told apart. */
export function differingFields(before: object, after: object): readonly string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().flatMap(key => {
    const [old, now] = [(before as Record<string, unknown>)[key], (after as Record<string, unknown>)[key]]
    if (key === 'origin' || key === 'origins' || plain(old) === plain(now)) return []
    return isRecord(old) && isRecord(now) ? differingFields(old, now).map(field => `${key}.${field}`) : [key]
  })
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
