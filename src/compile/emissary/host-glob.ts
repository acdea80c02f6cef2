/** DNS names in lower case whose `*` may be the whole first or last label (emissary-resources.md 11); `*` is every name. */

/** Every name that `b` stands for, `a` stands for too. */
export function covers(a: string, b: string): boolean {
  if (a === '*' || a === b) return true
  if (a.startsWith('*.')) return !b.endsWith('.*') && b !== '*' && b.length > a.length - 1 && b.endsWith(a.slice(1))
  if (a.endsWith('.*')) return !b.startsWith('*') && b.length > a.length - 1 && b.startsWith(a.slice(0, -1))
  return false
}

/** Some name fits both. */
export function overlaps(a: string, b: string): boolean {
  if (covers(a, b) || covers(b, a)) return true
  return (a.startsWith('*.') && b.endsWith('.*')) || (a.endsWith('.*') && b.startsWith('*.'))
}

/** RE2 for the `:authority` of requests to such a host, with or without port; undefined for `*`. */
export function authorityRegex(glob: string): string | undefined {
  if (glob === '*') return undefined
  const text = glob.replace(/[.[\]\\^$+?(){}|]/g, '\\$&').replace('*', '[^:]+')
  return `(?i)${text}(:[0-9]+)?`
}
