import type { Problem } from './document.ts'
import { absolutePath } from './paths.ts'
import type { SettingsFile } from './schema.ts'
import type { ManifestSettings, SourceSettings } from './settings.ts'

type Raw = NonNullable<SettingsFile['manifests']>[number]

const keys = { directory: ['path'], kubernetes: ['source', 'status', 'publish'] } as const

/** What is wrong with the entries of `manifests`: keys of the other type, a missing one, a source that is none. */
export function manifestProblems(given: SettingsFile['manifests'], sources: readonly SourceSettings[]): readonly Problem[] {
  return (given ?? []).flatMap((one, index) => {
    const path = ['manifests', index]
    const other = one.type === 'directory' ? keys.kubernetes : keys.directory
    const stray = other.filter(key => one[key] !== undefined)
    return [
      ...stray.map(key => ({ path: [...path, key], text: `has no meaning with type ${one.type}; remove it` })),
      ...missing(one, sources).map(text => ({ path, text })),
      ...(one.publish?.service !== undefined && one.publish.addresses !== undefined
        ? [{ path: [...path, 'publish'], text: 'give service or addresses, not both' }]
        : []),
    ]
  })
}

function missing(one: Raw, sources: readonly SourceSettings[]): readonly string[] {
  if (one.type === 'directory') return one.path === undefined ? ['key "path" is missing: the folder of the manifests'] : []
  const clusters = sources.filter(source => source.type === 'kubernetes').map(source => source.name)
  const choices =
    clusters.length === 0 ? 'there is no source of type kubernetes; add one' : `sources of type kubernetes: ${clusters.join(', ')}`
  if (one.source === undefined) return [`key "source" is missing: ${choices}`]
  return clusters.includes(one.source) ? [] : [`source "${one.source}" is none of type kubernetes; ${choices}`]
}

/**
 * The entries as the gateway takes them; only for what `manifestProblems` found nothing wrong with.
 * @param folder what relative paths count from
 */
export function readManifests(given: NonNullable<SettingsFile['manifests']>, folder: string): readonly ManifestSettings[] {
  return given.flatMap(({ type, path, source, status = true, publish = {} }): readonly ManifestSettings[] => {
    if (type === 'directory') return path === undefined ? [] : [{ type, path: absolutePath(path, folder) }]
    return source === undefined ? [] : [{ type, source, status, publish }]
  })
}
