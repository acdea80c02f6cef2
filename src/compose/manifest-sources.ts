import type { KnownPlugins } from '../discovery/contract.ts'
import type { ManifestPlugin, ManifestSource } from '../manifests/contract.ts'
import { directorySource } from '../manifests/directory.ts'
import { readKinds } from '../manifests/kinds.ts'
import { IsthmusError } from '../model/errors.ts'
import type { KubernetesManifests, Settings } from '../settings/settings.ts'
import type { ManifestHost } from './manifest-host.ts'
import { knownPlugin } from './open-source.ts'

export interface ManifestSourcesGiven {
  readonly host: ManifestHost
  readonly plugins: KnownPlugins
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Brings the running sources of manifests in line with the settings; those that do not change keep running. */
export class ManifestSources {
  readonly #given: ManifestSourcesGiven
  /** What runs, by name, with the settings it was made of. */
  readonly #open = new Map<string, string>()

  constructor(given: ManifestSourcesGiven) {
    this.#given = given
  }

  /** @throws IsthmusError `settings-invalid` for a source that cannot be made; nothing has changed then */
  async follow(settings: Settings): Promise<void> {
    const { host } = this.#given
    const made = new Map<string, { readonly settings: string; readonly source: ManifestSource | undefined }>()
    for (const one of settings.manifests) {
      const cluster = one.type === 'kubernetes' ? settings.sources.find(({ name }) => name === one.source) : undefined
      const name = one.type === 'directory' ? one.path : `kubernetes ${one.source}`
      const text = JSON.stringify([one, cluster])
      if (this.#open.get(name) === text) made.set(name, { settings: text, source: undefined })
      else if (one.type === 'directory')
        made.set(name, { settings: text, source: directorySource({ path: one.path, namespace: 'default' }) })
      else made.set(name, { settings: text, source: await this.#kubernetes(one, settings) })
    }
    for (const name of this.#open.keys()) {
      const next = made.get(name)
      if (next !== undefined && next.source === undefined) continue
      this.#open.delete(name)
      await host.remove(name)
    }
    for (const [name, { settings: text, source }] of made) {
      if (source === undefined) continue
      this.#open.set(name, text)
      host.add(name, source)
    }
  }

  async #kubernetes(one: KubernetesManifests, settings: Settings): Promise<ManifestSource> {
    const { plugins, environment } = this.#given
    const cluster = settings.sources.find(({ name }) => name === one.source)
    const plugin = cluster && (await knownPlugin(cluster.type, plugins))
    if (cluster === undefined || plugin === undefined || !holdsManifests(plugin))
      throw new IsthmusError('settings-invalid', `manifests: source ${one.source} holds no objects of the configuration`)
    return plugin.manifests(cluster.own, {
      name: one.source,
      kinds: readKinds,
      identity: settings.id,
      ambassadorIds: settings.ambassadorId,
      publish: { status: one.status, ...one.publish },
      environment,
    })
  }
}

function holdsManifests(plugin: object): plugin is ManifestPlugin {
  return 'manifests' in plugin && typeof plugin.manifests === 'function'
}
