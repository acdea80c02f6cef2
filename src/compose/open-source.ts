import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { addressRules } from '../discovery/address-rules.ts'
import type { KnownPlugins, SourceLog, SourcePlugin } from '../discovery/contract.ts'
import type { HostedSource } from '../discovery/host.ts'
import { RefusedAddresses } from '../discovery/refused-addresses.ts'
import { systemClock } from '../discovery/system-clock.ts'
import { errorText, IsthmusError } from '../model/errors.ts'
import type { Settings, SourceSettings } from '../settings/settings.ts'

/**
 * Makes a source from its settings, ready for the host.
 * @throws IsthmusError `settings-invalid` naming the source, when its type or its own settings are wrong
 */
export async function openSource(one: SourceSettings, settings: Settings, plugins: KnownPlugins, log: SourceLog): Promise<HostedSource> {
  const plugin = isFile(one.type) ? await loadPlugin(one) : await knownPlugin(one.type, plugins)
  if (plugin === undefined) throw new IsthmusError('settings-invalid', `source ${one.name}: there is no source type "${one.type}"`)
  const refused = new RefusedAddresses(() => systemClock.wall())
  const instance = plugin.create(one.own, {
    name: one.name,
    namespace: one.namespace,
    admitAddress: refused.noting(addressRules(one.addresses)),
    log,
    clock: systemClock,
    stateFolder: stateFolder(settings, one.name),
  })
  return { name: one.name, type: plugin.type, instance, log, refused, ...(one.guards === undefined ? {} : { guards: one.guards }) }
}

/** One of the plugins that come with the gateway, or undefined. */
export async function knownPlugin(type: string, plugins: KnownPlugins): Promise<SourcePlugin | undefined> {
  const known = plugins.find(one => one.type === type)
  return known !== undefined && 'load' in known ? known.load() : known
}

function isFile(type: string): boolean {
  return type.startsWith('/') || type.startsWith('.')
}

/** A third party's source: a module whose default export is a SourcePlugin. */
async function loadPlugin(one: SourceSettings): Promise<SourcePlugin> {
  let loaded: { default?: unknown }
  try {
    loaded = (await import(pathToFileURL(one.type).href)) as { default?: unknown }
  } catch (cause) {
    throw new IsthmusError('settings-invalid', `source ${one.name}: ${one.type} cannot be loaded: ${errorText(cause)}`, { cause })
  }
  if (isPlugin(loaded.default)) return loaded.default
  throw new IsthmusError(
    'settings-invalid',
    `source ${one.name}: the default export of ${one.type} is no SourcePlugin (type, schema, create)`,
  )
}

function isPlugin(value: unknown): value is SourcePlugin {
  return typeof value === 'object' && value !== null && 'type' in value && 'create' in value && typeof value.create === 'function'
}

function stateFolder(settings: Settings, source: string): string | undefined {
  if (settings.state.path === ':memory:') return undefined
  const folder = join(settings.state.path, source)
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new IsthmusError('settings-invalid', `state.path: ${folder} cannot be made: ${errorText(cause)}`, { cause })
  }
  return folder
}
