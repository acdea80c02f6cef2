import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { builtinPlugins } from '../../src/builtin-plugins.ts'
import { compose, type Gateway } from '../../src/compose.ts'
import { bootstrap } from '../../src/envoy/bootstrap.ts'
import { loadSettings } from '../../src/settings/load.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { type EnvoyProcess, startEnvoy } from '../tools/envoy-process.ts'
import { freePort, temporaryFolder, type Teardown } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { get } from './get.ts'

export interface StageOptions {
  /** Items of `sources` in isthmus.yaml. */
  readonly sources: readonly Readonly<Record<string, unknown>>[]
  /** Merged over the rest of isthmus.yaml. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Default delta. */
  readonly protocol?: 'delta' | 'sotw'
  /** Default true. */
  readonly envoy?: boolean
}

/** A gateway and an Envoy of its own, driven as a user would: by files, registries and HTTP. Everything ends with the test. */
export interface Stage {
  readonly gateway: Gateway
  readonly envoy: EnvoyProcess
  readonly folder: string
  /** Envoy's listener. */
  readonly url: string
  readonly port: number
  readonly adminUrl: string
  readonly agentsUrl: string
  /** Writes manifests/NAME.yaml (objects, or text as it is) by a rename, as deployment tools do. */
  manifests(name: string, objects: readonly object[] | string): Promise<void>
  /** GET of the admin API; parsed. */
  api<T = unknown>(path: string): Promise<T>
  /** PUT of one agent's registration. */
  registerVm(agentId: string, services: readonly Readonly<Record<string, unknown>>[], ttlSeconds?: number): Promise<{ epoch: number }>
  /** Waits until Envoy's listener answers a path as `accept` wants. */
  answers(path: string, accept: (answer: { status: number; body: string }) => boolean, headers?: Record<string, string>): Promise<void>
}

/** Starts both. The Listener is on `stage.port`; manifests begin with it and a Host for every name. */
export async function startStage(t: Teardown, options: StageOptions): Promise<Stage> {
  const folder = await temporaryFolder(t)
  const port = await freePort()
  await mkdir(join(folder, 'manifests'))
  const write = async (name: string, objects: readonly object[] | string): Promise<void> => {
    const text = typeof objects === 'string' ? objects : objects.map(object => stringify(object)).join('---\n')
    await writeFile(join(folder, `.${name}.next`), text)
    await rename(join(folder, `.${name}.next`), join(folder, 'manifests', `${name}.yaml`))
  }
  await write('base', [listenerObject(port), hostObject()])
  const file = join(folder, 'isthmus.yaml')
  const settingsText = {
    id: 'test',
    state: { path: ':memory:' },
    xds: { listen: '127.0.0.1:0' },
    admin: { listen: '127.0.0.1:0' },
    agents: { listen: '127.0.0.1:0' },
    defaults: { addresses: { allow: ['127.0.0.0/8'] } },
    manifests: [{ type: 'directory', path: './manifests' }],
    sources: options.sources,
    ...options.settings,
  }
  await writeFile(file, stringify(settingsText))
  const settings = loadSettings({ file, env: {}, flags: {}, plugins: builtinPlugins })
  const level = process.env['ISTHMUS_TEST_LOG'] === undefined ? 'silent' : 'debug'
  const gateway = compose(settings, builtinPlugins, { log: createLog({ level, id: 'test' }), environment: {} })
  t.teardown(() => gateway.stop())
  await gateway.start()
  const adminUrl = `http://127.0.0.1:${String(gateway.addresses.admin)}`
  const agentsUrl = `http://127.0.0.1:${String(gateway.addresses.agents)}`
  const envoy = await startTestEnvoy(t, gateway, options.protocol ?? 'delta', options.envoy ?? true)
  const url = `http://127.0.0.1:${String(port)}`
  return {
    gateway,
    envoy,
    folder,
    url,
    port,
    adminUrl,
    agentsUrl,
    manifests: write,
    api: async <T>(path: string) => (await (await fetch(adminUrl + path)).json()) as T,
    async registerVm(agentId, services, ttlSeconds = 3600) {
      const body = JSON.stringify({ services, ttlSeconds })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${agentsUrl}/v1/registrations/${agentId}`, { method: 'PUT', headers, body })
      if (!response.ok) throw new Error(`registration of ${agentId}: ${String(response.status)} ${await response.text()}`)
      return (await response.json()) as { epoch: number }
    },
    async answers(path, accept, headers = {}) {
      await eventually(`${path} through Envoy`, async () => accept(await get(url + path, headers)))
    },
  }
}

async function startTestEnvoy(t: Teardown, gateway: Gateway, protocol: 'delta' | 'sotw', wanted: boolean): Promise<EnvoyProcess> {
  if (!wanted) return undefined as unknown as EnvoyProcess
  const adminPort = await freePort()
  const text = bootstrap({
    nodeId: 'edge-1',
    cluster: 'test',
    xds: { host: '127.0.0.1', port: gateway.addresses.xds },
    protocol,
    adminPort,
  })
  const envoy = await startEnvoy({ bootstrap: JSON.stringify(text), adminPort })
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

/** An item of a VM registration. */
export function vmService(name: string, port: number, more: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { name, namespace: 'default', address: '127.0.0.1', ports: [{ name: 'http', port }], health: 'healthy', ...more }
}
