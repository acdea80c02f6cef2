import type { SourceType } from '../discovery/contract.ts'
import { poolNamesSource } from '../model/pool-rule.ts'
import { didYouMean } from '../model/nearest.ts'
import { check, compileCheck } from './check.ts'
import type { Problem } from './document.ts'
import { absolutePath, withAbsolutePaths } from './paths.ts'
import { closeObjects, type SettingsFile, sourceBase } from './schema.ts'
import type { SourceSettings } from './settings.ts'

/** An item of `sources` whose common keys are right. */
export type RawSource = NonNullable<SettingsFile['sources']>[number] & Readonly<Record<string, unknown>>

const baseKeys = Object.keys(sourceBase)

/**
 * Checks every source against its plugin's schema and splits its own keys from the common ones. The keys of a third party's source
 * (`type: ./file.ts`) are its own business: compose checks them once the file is loaded.
 * @param given the sources by their place in the list
 * @param folder what relative paths count from
 */
export function readSources(
  given: ReadonlyMap<number, RawSource>,
  defaults: SettingsFile['defaults'],
  plugins: readonly SourceType[],
  folder: string,
): { sources: readonly SourceSettings[]; problems: readonly Problem[] } {
  const problems: Problem[] = []
  const names = new Map<string, number>()
  const checks = new Map<string, { schema: Record<string, unknown>; validate: ReturnType<typeof compileCheck> }>()
  const sources = [...given].map(([index, source]): SourceSettings => {
    const { name, type, namespace, addresses, guards, ...own } = source
    if (name === poolNamesSource)
      problems.push({
        path: ['sources', index, 'name'],
        text: `"${name}" is the name of what looks up host names of ServicePools; choose another`,
      })
    const first = names.get(name)
    if (first === undefined) names.set(name, index)
    else problems.push({ path: ['sources', index, 'name'], text: `"${name}" is already the name of sources[${first}]: names are unique` })

    const base = {
      name,
      namespace: namespace ?? 'default',
      addresses: { allow: addresses?.allow ?? defaults?.addresses?.allow ?? [], only: addresses?.only ?? defaults?.addresses?.only ?? [] },
      ...(guards === undefined ? {} : { guards }),
    }
    if (type.startsWith('.') || type.startsWith('/')) return { ...base, type: absolutePath(type, folder), own }
    const plugin = plugins.find(one => one.type === type)
    if (plugin === undefined) {
      problems.push({ path: ['sources', index, 'type'], text: unknownType(type, plugins) })
      return { ...base, type, own }
    }
    if (plugin.isSingle === true && checks.has(type))
      problems.push({
        path: ['sources', index, 'type'],
        text: `there is a source of type ${type} already: one takes the registrations of all agents`,
      })
    let checked = checks.get(type)
    if (checked === undefined) {
      const schema = closeObjects(plugin.schema)
      checks.set(type, (checked = { schema, validate: compileCheck(schema) }))
    }
    problems.push(...check(checked.validate, own, ['sources', index], baseKeys))
    return { ...base, type, own: withAbsolutePaths(own, checked.schema, folder) as Record<string, unknown> }
  })
  return { sources, problems }
}

/** Names in `trust` that are no source and no type of one. */
export function trustProblems(
  trust: readonly string[] | undefined,
  sources: readonly SourceSettings[],
  plugins: readonly SourceType[],
): readonly Problem[] {
  const known = [...sources.map(one => one.name), ...plugins.map(one => one.type)]
  return (trust ?? []).flatMap((name, index) => {
    if (known.includes(name)) return []
    const hint = didYouMean(name, known)
    return [
      {
        path: ['trust', index],
        text: `there is no source and no type of source "${name}"; ${hint === '' ? `known are ${known.join(', ')}` : hint}`,
      },
    ]
  })
}

function unknownType(type: string, plugins: readonly SourceType[]): string {
  const known = plugins.map(plugin => plugin.type)
  const choices = `known types: ${[...known, './file.ts of your own'].join(', ')}`
  const suggestion = didYouMean(type, known)
  return `no source has the type "${type}"; ${suggestion === '' ? choices : suggestion}`
}
