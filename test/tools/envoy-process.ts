import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EnvoyVersion, envoyPath } from './envoy.ts'
import { type Child, startProcess } from './process.ts'

export interface EnvoyOptions {
  /** The whole bootstrap, JSON or YAML; its admin listener must be 127.0.0.1:adminPort. */
  readonly bootstrap: string
  readonly adminPort: number
  /** Default: the newest. */
  readonly version?: EnvoyVersion
  /** Further arguments, such as `--component-log-level config:debug`. */
  readonly args?: readonly string[]
}

/** A running Envoy. Each method that asks its admin port throws if that does not answer. */
export interface EnvoyProcess {
  readonly adminUrl: string
  /** The parsed answer of /clusters?format=json. */
  clusters(): Promise<{ readonly cluster_statuses?: readonly EnvoyClusterStatus[] }>
  /** The parsed answer of /config_dump, endpoints included; `resource` narrows it, such as `dynamic_active_clusters`. */
  configDump(resource?: string): Promise<{ readonly configs: readonly Readonly<Record<string, unknown>>[] }>
  /** Counters and gauges whose name matches the regular expression. */
  stats(filter: string): Promise<ReadonlyMap<string, number>>
  /** True once Envoy has its first configuration and listens. */
  ready(): Promise<boolean>
  /** Waits for ready(). Throws with the output when it takes longer. */
  untilReady(timeoutMs?: number): Promise<void>
  signal(name: NodeJS.Signals): void
  /** SIGTERM, then SIGKILL; also removes its files. */
  stop(): Promise<void>
  output(): string
}

/** What of a cluster's status tests look at. */
export interface EnvoyClusterStatus {
  readonly name: string
  readonly host_statuses?: readonly {
    readonly address: { readonly socket_address?: { readonly address: string; readonly port_value: number } }
    readonly health_status: Readonly<Record<string, unknown>>
    readonly weight?: number
    readonly priority?: number
  }[]
}

/**
 * Starts an Envoy and waits until its admin port answers; whether it is ready depends on who gives it configuration.
 * Throws with its output if it refuses the bootstrap or does not answer within 20 s.
 */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  const program = await envoyPath(options.version)
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-envoy-'))
  const file = join(folder, options.bootstrap.trimStart().startsWith('{') ? 'bootstrap.json' : 'bootstrap.yaml')
  await writeFile(file, options.bootstrap)
  // Without hot restart Envoys share no memory segment, so any number runs side by side and a killed one leaves nothing behind.
  const fixed = ['--disable-hot-restart', '--concurrency', '1', '-l', 'warning', '--file-flush-interval-msec', '50']
  const child = await startProcess(program, ['-c', file, ...fixed, ...(options.args ?? [])])
  const envoy = new LocalEnvoy(child, folder, `http://127.0.0.1:${options.adminPort}`)
  try {
    await child.until('Envoy does not answer on its admin port', async () => (await envoy.get('/server_info')) !== '')
  } catch (error) {
    await envoy.stop()
    throw error
  }
  return envoy
}

class LocalEnvoy implements EnvoyProcess {
  readonly adminUrl: string
  readonly output: () => string
  readonly #child: Child
  readonly #folder: string

  constructor(child: Child, folder: string, adminUrl: string) {
    this.adminUrl = adminUrl
    this.output = () => child.output()
    this.#child = child
    this.#folder = folder
  }

  async get(path: string): Promise<string> {
    const response = await fetch(this.adminUrl + path, { signal: AbortSignal.timeout(5000) })
    const text = await response.text()
    if (!response.ok) throw new Error(`Envoy: GET ${path}: ${response.status} ${text}`)
    return text
  }

  async clusters(): ReturnType<EnvoyProcess['clusters']> {
    return JSON.parse(await this.get('/clusters?format=json')) as Awaited<ReturnType<EnvoyProcess['clusters']>>
  }

  async configDump(resource?: string): ReturnType<EnvoyProcess['configDump']> {
    const query = resource === undefined ? '?include_eds' : `?${new URLSearchParams({ resource }).toString()}&include_eds`
    return JSON.parse(await this.get(`/config_dump${query}`)) as Awaited<ReturnType<EnvoyProcess['configDump']>>
  }

  async stats(filter: string): Promise<ReadonlyMap<string, number>> {
    const answer = JSON.parse(await this.get(`/stats?${new URLSearchParams({ format: 'json', filter }).toString()}`)) as {
      stats: { name?: string; value?: unknown }[]
    }
    const found = new Map<string, number>()
    for (const { name, value } of answer.stats) {
      if (name !== undefined && typeof value === 'number') found.set(name, value)
    }
    return found
  }

  async ready(): Promise<boolean> {
    const response = await fetch(`${this.adminUrl}/ready`, { signal: AbortSignal.timeout(5000) })
    await response.body?.cancel()
    return response.status === 200
  }

  async untilReady(timeoutMs?: number): Promise<void> {
    await this.#child.until('Envoy is not ready', () => this.ready(), timeoutMs)
  }

  signal(name: NodeJS.Signals): void {
    this.#child.signal(name)
  }

  async stop(): Promise<void> {
    await this.#child.stop()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
