/**
 * The canonical URL of a Consul address: `host[:port]` or a URL, `$NAME` and `${NAME}` taken from the environment (emissary-resources.md 9).
 * @returns `{ url }`, or `{ problem }` when it is no such address
 */
export function consulAddress(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly url: string } | { readonly problem: string } {
  const missing: string[] = []
  const expanded = text.replace(
    /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g,
    (_whole, braced?: string, bare?: string) => {
      const name = braced ?? bare ?? ''
      const value = environment[name]
      if (value === undefined) missing.push(name)
      return value ?? ''
    },
  )
  if (missing.length > 0) return { problem: `the environment has no ${missing.join(', ')}, which the address "${text}" names` }
  const full = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(expanded) ? expanded : `http://${expanded}`
  if (!URL.canParse(full)) return { problem: `"${expanded}" is no address of a Consul agent; give host:port or http://host:port` }
  const url = new URL(full)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { problem: `"${expanded}": scheme ${url.protocol.slice(0, -1)} is not spoken; give http or https` }
  if (url.hostname === '' || (url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.username !== '')
    return { problem: `"${expanded}" must be scheme, host and port only` }
  // URL drops a port that is the scheme's own; Consul's is meant only when none is written.
  const written = /:([0-9]+)\/?$/.exec(expanded)?.[1]
  return { url: `${url.protocol}//${url.hostname}:${written === undefined ? '8500' : Number(written)}` }
}
