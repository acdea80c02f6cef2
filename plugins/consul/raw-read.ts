interface RawClient {
  _get(
    request: object,
    ...steps: ((request: RawResult, next: (stop: boolean, error?: unknown, result?: unknown) => void) => void)[]
  ): Promise<unknown>
}

interface RawResult {
  readonly err?: Error & { response?: unknown }
  readonly res?: { readonly body?: unknown }
}

/**
 * GET of a path that the `consul` package has no method for, in the form of its methods; `{name}` in the path is the option of that name.
 * @param asked the options that are no part of the path
 * @param of whose answer it is: the agent's own knows no other datacenter, partition or consistency
 */
export function rawRead(
  consul: unknown,
  path: string,
  of: 'agent' | 'catalog' = 'catalog',
  asked: readonly string[] = [],
): (options: Record<string, unknown>) => Promise<unknown> {
  return ({ ctx, timeout, index, wait, token, dc, partition, stale, consistent, ...params }) => {
    const catalog = { dc, partition, ...(stale === true ? { stale: '1' } : {}), ...(consistent === true ? { consistent: '1' } : {}) }
    const own = Object.fromEntries(asked.map(name => [name, params[name]]))
    const query = { index, wait, ...(of === 'catalog' ? catalog : {}), ...own }
    const request = {
      ...{ name: path, path, params, ctx, timeout },
      headers: token === undefined ? {} : { 'x-consul-token': token },
      query: Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)),
    }
    return (consul as RawClient)._get(request, ({ err, res }, next) => {
      if (err === undefined) {
        next(false, undefined, [res, res?.body])
        return
      }
      err.response = res
      next(false, err)
    })
  }
}
