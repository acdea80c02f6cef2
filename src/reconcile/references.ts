import { keyText, type Resource, type ResourceKey } from '../xds/resource.ts'

export interface Dangling {
  readonly resource: Resource
  readonly missing: ResourceKey
}

/**
 * The referential check before publishing (xds.md O9): what names something that does not exist is not published; what was published under
 * its name before stays, with all that it names.
 * Secrets are not looked for: some come from elsewhere, and who lacks one is told by whoever reads it.
 * @param wanted by `keyText`; all that is to be served, without assignments
 * @param before the same of the last time
 * @param hasAssignment whether the assignment of a name is, or is still, there
 */
export function withoutDangling(
  wanted: ReadonlyMap<string, Resource>,
  before: ReadonlyMap<string, Resource>,
  hasAssignment: (name: string) => boolean,
): { readonly serve: ReadonlyMap<string, Resource>; readonly dangling: readonly Dangling[] } {
  const serve = new Map(wanted)
  const dangling: Dangling[] = []
  const missingOf = (resource: Resource): ResourceKey | undefined =>
    resource.requires.find(key => {
      if (key.type === 'secret') return false
      return key.type === 'endpoint' ? !hasAssignment(key.name) : !serve.has(keyText(key))
    })
  /** What was there, and is needed again. */
  const restore = (key: ResourceKey): void => {
    const id = keyText(key)
    const old = before.get(id)
    if (old === undefined || serve.has(id)) return
    serve.set(id, old)
    old.requires.forEach(restore)
  }
  // Taking one thing away may leave another dangling; each pass settles at least one for good.
  for (let changed = true; changed; ) {
    changed = false
    for (const [id, resource] of serve) {
      const missing = missingOf(resource)
      if (missing === undefined) continue
      changed = true
      dangling.push({ resource, missing })
      serve.delete(id)
      const old = before.get(id)
      if (old !== undefined && old !== resource && resource === wanted.get(id)) restore(old)
    }
  }
  return { serve, dangling }
}
