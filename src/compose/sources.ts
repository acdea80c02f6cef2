import type { ConsulRequest } from '../compile/emissary/input.ts'
import type { Lease, SourceLog, KnownPlugins, SourceSecret } from '../discovery/contract.ts'
import type { HostedSource, SourceHost } from '../discovery/host.ts'
import type { KnownBefore } from '../discovery/source-run.ts'
import { errorText } from '../model/errors.ts'
import type { Settings, SourceSettings } from '../settings/settings.ts'
import { consulFromEnvironment } from './consul-from-environment.ts'
import { besideKubernetes } from './hybrid.ts'
import { openSource } from './open-source.ts'

export interface SourcesGiven {
  readonly host: SourceHost
  readonly plugins: KnownPlugins
  readonly log: SourceLog
  /** What was known of a source before the start. */
  readonly recall: (one: SourceSettings) => Promise<KnownBefore | undefined>
  readonly forget: (source: string) => void
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Some source has another secret. */
  readonly onSecrets: () => void
}

/** A source that was made and does not run yet. */
interface Opened {
  readonly one: SourceSettings
  readonly settings: string
  readonly source: HostedSource
}

/** Brings the running sources in line with the settings and with what ConsulResolvers and ServicePools ask for. */
export class Sources {
  readonly #given: SourcesGiven
  /** What runs, by name, with the settings it was made of. */
  readonly #open = new Map<string, { readonly settings: string; readonly source: HostedSource }>()
  /** Names of the open sources that only objects ask for. */
  #requested: ReadonlySet<string> = new Set()
  #turn: Promise<void> = Promise.resolve()

  constructor(given: SourcesGiven) {
    this.#given = given
  }

  /** The sources of the settings; those that do not change keep running. Throws for a source that cannot be made, none started then. */
  async configure(settings: Settings): Promise<void> {
    await this.#inTurn(async () => {
      const opened = await this.#openChanged(settings, settings.sources)
      const names = new Set(settings.sources.map(one => one.name))
      await this.#replace(opened, name => names.has(name) || this.#requested.has(name))
    })
  }

  /**
   * The sources that only objects ask for: Consul of ConsulResolvers, and others as they are. One that cannot be made is reported and the others
   * go on.
   */
  async request(settings: Settings, requests: readonly ConsulRequest[], others: readonly SourceSettings[]): Promise<void> {
    if (requests.length + others.length === 0 && this.#requested.size === 0) return
    await this.#inTurn(async () => {
      const wanted = [...requests.map(request => consulFromEnvironment(request, settings, this.#given.environment)), ...others]
      const names = new Set(wanted.map(one => one.name))
      try {
        const opened = await this.#openChanged(settings, wanted)
        await this.#replace(opened, name => names.has(name) || !this.#requested.has(name))
        this.#requested = names
      } catch (error) {
        this.#given.log.error({ error: errorText(error) }, 'a source that an object asks for cannot be made')
      }
    })
  }

  /** Routes for agents of the sources that have some. */
  get agentRoutes(): readonly NonNullable<HostedSource['instance']['agentRoutes']>[] {
    return [...this.#open.values()].flatMap(({ source }) => source.instance.agentRoutes ?? [])
  }

  /** A source that runs. */
  hosted(name: string): HostedSource | undefined {
    return this.#open.get(name)?.source
  }

  leases(): readonly Lease[] {
    return [...this.#open.values()].flatMap(({ source }) => source.instance.leases?.() ?? [])
  }

  secrets(): readonly SourceSecret[] {
    return [...this.#open.values()].flatMap(({ source }) => source.instance.secrets?.list() ?? [])
  }

  async #openChanged(settings: Settings, sources: readonly SourceSettings[]): Promise<readonly Opened[]> {
    const changed = sources
      .map(one => besideKubernetes(one, settings))
      .filter(one => this.#open.get(one.name)?.settings !== JSON.stringify(one))
    const { plugins, log } = this.#given
    return Promise.all(
      changed.map(async one => ({ one, settings: JSON.stringify(one), source: await openSource(one, settings, plugins, log) })),
    )
  }

  async #replace(opened: readonly Opened[], keep: (name: string) => boolean): Promise<void> {
    const { host, recall, forget } = this.#given
    const isNew = new Set(opened.map(({ one }) => one.name))
    for (const name of [...this.#open.keys()]) {
      if (keep(name) || isNew.has(name)) continue
      this.#open.delete(name)
      await host.remove(name)
      forget(name)
    }
    for (const { one, settings, source } of opened) {
      const isRunning = this.#open.has(one.name)
      const known = await recall(one)
      this.#open.set(one.name, { settings, source })
      source.instance.secrets?.onChange(() => this.#given.onSecrets())
      if (isRunning) await host.replace(source)
      else host.add(known === undefined ? source : { ...source, known })
    }
  }

  /** One change at a time: two that overlap would start a source twice. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}
