import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { builtinPlugins } from '../../src/builtin-plugins.ts'
import { compose } from '../../src/compose.ts'
import { bootstrap } from '../../src/envoy/bootstrap.ts'
import { loadSettings } from '../../src/settings/load.ts'
import { createLog } from '../../src/telemetry/log.ts'
import type { EnvoyVersion } from '../tools/envoy.ts'
import { type EnvoyProcess, startEnvoy } from '../tools/envoy-process.ts'
import { freePort, freePorts, temporaryFolder, type Teardown } from '../tools/local.ts'
import { type Child, eventually, startProcess } from '../tools/process.ts'
import { repository } from '../tools/repository.ts'
import { get } from './get.ts'

export interface StageOptions {
  /** Items of `sources` in isthmus.yaml; default: `vms`, for agents. */
  readonly sources?: readonly Readonly<Record<string, unknown>>[]
  /** Merged over the rest of isthmus.yaml. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Default delta. */
  readonly protocol?: 'delta' | 'sotw'
  /** Where Envoy is; default: it does not say. */
  readonly place?: { readonly zone?: string; readonly region?: string }
  /** Runs the gateway as `isthmus serve` in a process of its own, which can be killed; default false. */
  readonly ownProcess?: boolean
  /** Default: the newest. */
  readonly envoyVersion?: EnvoyVersion
  /** The size of a regular expression's program that this Envoy takes; default: that of our bootstrap. */
  readonly regexLimit?: number
  /** Puts more files into the stage's folder before anything starts. */
  readonly prepare?: (folder: string) => Promise<void>
}

/** A gateway and an Envoy of its own, driven as a user would: by files, registries and HTTP. Everything ends with the test. */
export interface Stage {
  readonly envoy: EnvoyProcess
  /** Holds isthmus.yaml; relative paths in the settings count from here. */
  readonly folder: string
  /** Envoy's listener. */
  readonly url: string
  readonly port: number
  readonly adminUrl: string
  readonly agentsUrl: string
  /** Writes manifests/NAME.yaml (objects, or text as it is) by a rename, as deployment tools do. */
  manifests(name: string, objects: readonly object[] | string): Promise<void>
  /** Writes any file of the folder in the same way. */
  file(name: string, text: string): Promise<void>
  /** GET of the admin API; parsed. */
  api<T = unknown>(path: string): Promise<T>
  /** PUT of one agent's registration. */
  registerVm(agentId: string, services: readonly Readonly<Record<string, unknown>>[], ttlSeconds?: number): Promise<{ epoch: number }>
  /** Waits until Envoy's listener answers a path as `accept` wants. Gives the status of every answer on the way. */
  answers(
    path: string,
    accept: (answer: { status: number; body: string }) => boolean,
    headers?: Record<string, string>,
  ): Promise<readonly number[]>
  /** Waits until the gateway says that every Envoy has what it should have. */
  synced(): Promise<void>
  /** Ends Envoy and starts another in its place, which has nothing. */
  freshEnvoy(): Promise<void>
  /** Ends the gateway in order, or, in a process of its own, by SIGKILL. Envoy goes on. */
  stopGateway(how?: 'stop' | 'kill'): Promise<void>
  /** Starts it again where it listened before; resolves when it is ready. */
  startGateway(): Promise<void>
}

/** Starts both. The Listener is on `stage.port`; manifests begin with it and a Host for every name. */
export async function startStage(t: Teardown, options: StageOptions = {}): Promise<Stage> {
  const folder = await temporaryFolder(t)
  const [port = 0, xds = 0, admin = 0, agents = 0] = await freePorts(4)
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(folder, '.next'), text)
    await rename(join(folder, '.next'), join(folder, name))
  }
  const manifests = async (name: string, objects: readonly object[] | string): Promise<void> => {
    await write(`manifests/${name}.yaml`, typeof objects === 'string' ? objects : objects.map(object => stringify(object)).join('---\n'))
  }
  await mkdir(join(folder, 'manifests'))
  await manifests('base', [listenerObject(port), hostObject()])
  const { sources = [{ name: 'vms', type: 'vm' }], settings } = options
  await write('isthmus.yaml', stringify({ ...defaultSettings({ xds, admin, agents }), sources, ...settings }))
  await options.prepare?.(folder)

  const adminUrl = `http://127.0.0.1:${String(admin)}`
  const agentsUrl = `http://127.0.0.1:${String(agents)}`
  const gateway =
    options.ownProcess === true ? gatewayProcess(t, join(folder, 'isthmus.yaml')) : gatewayHere(t, join(folder, 'isthmus.yaml'))
  const startGateway = async (): Promise<void> => {
    await gateway.start()
    await eventually('the gateway is ready', async () => (await fetch(`${adminUrl}/readyz`)).ok, 40_000, gateway.isOver)
  }
  await startGateway()
  const envoy = await startTestEnvoy(t, xds, options)
  const url = `http://127.0.0.1:${String(port)}`
  const api = async <T>(path: string): Promise<T> => (await (await fetch(adminUrl + path)).json()) as T
  return {
    envoy,
    folder,
    url,
    port,
    adminUrl,
    agentsUrl,
    manifests,
    file: write,
    api,
    startGateway,
    stopGateway: how => gateway.stop(how),
    async freshEnvoy() {
      await envoy.stop()
      await startTestEnvoy(t, xds, options)
    },
    async registerVm(agentId, services, ttlSeconds = 3600) {
      const body = JSON.stringify({ services, ttlSeconds })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${agentsUrl}/v1/registrations/${agentId}`, { method: 'PUT', headers, body })
      if (!response.ok) throw new Error(`registration of ${agentId}: ${String(response.status)} ${await response.text()}`)
      return (await response.json()) as { epoch: number }
    },
    async answers(path, accept, headers = {}) {
      const seen: number[] = []
      await eventually(`${path} through Envoy`, async () => {
        const answer = await get(url + path, headers)
        seen.push(answer.status)
        return accept(answer)
      })
      return seen
    },
    async synced() {
      await eventually('every Envoy is in sync', async () => {
        const { items } = await api<{ items: readonly { state: string }[] }>('/api/v1/proxies')
        return items.length > 0 && items.every(one => one.state === 'synced')
      })
    },
  }
}

function defaultSettings(ports: { readonly xds: number; readonly admin: number; readonly agents: number }): object {
  return {
    id: 'test',
    state: { path: ':memory:' },
    xds: { listen: `127.0.0.1:${String(ports.xds)}` },
    admin: { listen: `127.0.0.1:${String(ports.admin)}` },
    agents: { listen: `127.0.0.1:${String(ports.agents)}` },
    defaults: { addresses: { allow: ['127.0.0.0/8'] } },
    manifests: [{ type: 'directory', path: './manifests' }],
  }
}

interface StartStop {
  start(): Promise<void>
  stop(how?: 'stop' | 'kill'): Promise<void>
  /** It ended by itself. */
  readonly isOver: () => boolean
}

function gatewayHere(t: Teardown, file: string): StartStop {
  const level = process.env['ISTHMUS_TEST_LOG'] === undefined ? 'silent' : 'debug'
  let stop = async (): Promise<void> => undefined
  t.teardown(() => stop())
  return {
    async start() {
      const settings = loadSettings({ file, env: {}, flags: {}, plugins: builtinPlugins })
      const gateway = compose(settings, builtinPlugins, { log: createLog({ level, id: 'test' }), environment: {} })
      stop = () => gateway.stop()
      await gateway.start()
    },
    stop: () => stop(),
    isOver: () => false,
  }
}

function gatewayProcess(t: Teardown, file: string): StartStop {
  let child: Child | undefined
  let ended = false
  t.teardown(() => child?.stop())
  return {
    async start() {
      ended = false
      child = await startProcess(process.execPath, [join(repository, 'src/main.ts'), 'serve', '-c', file])
      void child.exited.then(() => (ended = true))
    },
    async stop(how) {
      await (how === 'kill' ? child?.kill() : child?.stop(20_000))
    },
    isOver: () => ended,
  }
}

async function startTestEnvoy(
  t: Teardown,
  xds: number,
  { protocol = 'delta', place = {}, regexLimit, envoyVersion }: StageOptions,
): Promise<EnvoyProcess> {
  const adminPort = await freePort()
  const text = bootstrap({ nodeId: 'edge-1', cluster: 'test', ...place, xds: { host: '127.0.0.1', port: xds }, protocol, adminPort })
  const json = JSON.stringify(text)
  const limited = regexLimit === undefined ? json : json.replace(/("re2\.max_program_size\.error_level":)\d+/, `$1${regexLimit}`)
  const envoy = await startEnvoy({ bootstrap: limited, adminPort, ...(envoyVersion === undefined ? {} : { version: envoyVersion }) })
  t.teardown(() => envoy.stop())
  await envoy.untilReady()
  return envoy
}

const api = { apiVersion: 'getambassador.io/v3alpha1' }

export function listenerObject(port: number): object {
  return {
    ...api,
    kind: 'Listener',
    metadata: { name: 'http' },
    spec: { port, protocol: 'HTTP', securityModel: 'INSECURE', hostBinding: { namespace: { from: 'ALL' } } },
  }
}

export function hostObject(hostname = '*', name = 'any'): object {
  return { ...api, kind: 'Host', metadata: { name }, spec: { hostname, requestPolicy: { insecure: { action: 'Route' } } } }
}

/** A Mapping for every host name, unless `spec` says otherwise. */
export function mappingObject(name: string, spec: Readonly<Record<string, unknown>>): object {
  return { ...api, kind: 'Mapping', metadata: { name }, spec: { hostname: '*', ...spec } }
}

export function moduleObject(config: object): object {
  return { ...api, kind: 'Module', metadata: { name: 'ambassador' }, spec: { config } }
}

/** Sets the Module of a stage, and waits until Envoy has it: a server name that each turn changes tells. */
export function moduleSetter(stage: Stage): (config: object) => Promise<void> {
  let turn = 0
  return async config => {
    const name = `turn-${String(++turn)}`
    await stage.manifests('module', [moduleObject({ server_name: name, ...config })])
    await eventually('the Module is in force', async () => (await get(`${stage.url}/nothing`)).headers['server'] === name)
    await stage.synced()
  }
}

/** An item of a VM registration. */
export function vmService(name: string, port: number, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { name, namespace: 'default', address: '127.0.0.1', ports: [{ name: 'http', port }], health: 'healthy', ...more }
}
