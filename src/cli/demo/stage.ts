import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { builtinPlugins } from '../../builtin-plugins.ts'
import { compose, type Gateway } from '../../compose.ts'
import { loadSettings } from '../../settings/load.ts'
import { createLog } from '../../telemetry/log.ts'
import { Children } from './children.ts'
import { DemoConsul } from './consul.ts'
import { DemoKubernetes, helloService } from './kubernetes.ts'
import { demandPort, freePorts } from './free-ports.ts'
import { findPart } from './parts.ts'
import { type DemoPorts, demoManifests, demoSettings } from './settings-text.ts'

/** Everything the demo runs. */
export interface Stage {
  readonly ports: DemoPorts
  readonly consul: DemoConsul
  readonly folder: string
  readonly kubernetes: DemoKubernetes | undefined
  /** Names of the instances that are in Kubernetes. */
  readonly pods: readonly string[]
  /** Starts a sample service that calls itself `name`; gives its port. */
  sample(name: string): Promise<number>
  stopSample(name: string): Promise<void>
  stop(): Promise<void>
}

const root = new URL('../../../', import.meta.url)
const sampleProgram = fileURLToPath(new URL('deploy/examples/sample-service.ts', root))
const crdFiles = ['crds-getambassador.yaml', 'crds-isthmus.yaml'].map(name => fileURLToPath(new URL(`deploy/kubernetes/${name}`, root)))
const agentProgram = fileURLToPath(new URL('vm-agent/src/main.ts', root))

export interface StageOptions {
  /** Where Envoy listens. */
  readonly port: number
  /** Where the admin API listens; undefined: somewhere. */
  readonly adminPort?: number
  /** What is written goes there, and stays; undefined: a folder that is removed at the end. */
  readonly folder?: string
  /** With a Kubernetes API server too. */
  readonly kubernetes: boolean
}

/**
 * Brings up Consul with two instances of `hello`, two VM agents with one each, and a gateway with its own Envoy on `port`.
 * `say` tells each step. Throws, with everything stopped again, if a part cannot be had or does not start.
 */
export async function setStage(
  { port, adminPort, folder: given, kubernetes: withKubernetes }: StageOptions,
  say: (line: string) => void,
): Promise<Stage> {
  await demandPort(port)
  if (adminPort !== undefined) await demandPort(adminPort)
  const [envoyPath, consulPath] = [await findPart('envoy'), await findPart('consul')]
  const programs = withKubernetes ? { etcd: await findPart('etcd'), apiserver: await findPart('kube-apiserver') } : undefined
  const children = new Children()
  const killAll = (): void => children.killAll()
  process.once('exit', killAll)
  const folder = given === undefined ? await mkdtemp(join(tmpdir(), 'isthmus-demo-')) : resolve(given)
  let gateway: Gateway | undefined
  const stop = async (): Promise<void> => {
    await gateway?.stop()
    await children.stopAll()
    if (given === undefined) await rm(folder, { recursive: true, force: true })
    process.off('exit', killAll)
  }
  try {
    say('starting Consul, with two instances of the service "hello"')
    const consul = await DemoConsul.start(children, consulPath)
    const sample = (name: string): Promise<number> => startSample(children, name)
    for (const name of ['consul-1', 'consul-2']) await consul.register(name, await sample(name))

    const [xds = 0, admin = 0, agents = 0, envoyAdmin = 0] = await freePorts(4)
    const ports: DemoPorts = { http: port, xds, admin: adminPort ?? admin, agents, envoyAdmin }
    const manifests = join(folder, 'manifests')
    await mkdir(manifests, { recursive: true })
    // With Kubernetes they are there.
    if (!withKubernetes) await writeFile(join(manifests, 'hello.yaml'), demoManifests(port))
    await writeFile(join(folder, 'start-consul'), consul.script, { mode: 0o755 })
    await writeFile(join(folder, 'consul.pid'), `${String(children.pid('Consul') ?? '')}\n`)
    const pods = programs === undefined ? [] : ['pod-1']
    let kubernetes: DemoKubernetes | undefined
    if (programs !== undefined) {
      say('starting a Kubernetes API server, with a pod of "hello" and the manifests')
      kubernetes = await DemoKubernetes.start(children, programs, folder)
      for (const file of crdFiles) await kubernetes.apply(await readFile(file, 'utf8'))
      const podPorts = new Map<string, number>()
      for (const pod of pods) podPorts.set(pod, await startSample(children, pod, kubernetes.address))
      await kubernetes.apply(`${helloService(kubernetes.address, podPorts)}\n---\n${demoManifests(port)}`)
    }
    const file = join(folder, 'isthmus.yaml')
    await writeFile(
      file,
      demoSettings(ports, {
        consulUrl: consul.url,
        envoyPath,
        manifests,
        ...(kubernetes === undefined ? {} : { kubeconfig: kubernetes.kubeconfig }),
      }),
    )
    say('starting Isthmus and its Envoy')
    const plugins = builtinPlugins
    const settings = loadSettings({ file, env: {}, flags: {}, plugins })
    gateway = compose(settings, plugins, { log: createLog({ level: settings.log.level, id: settings.id }) })
    await gateway.start()

    say('starting two virtual machines, each with an agent and one more instance of "hello"')
    for (const name of ['vm-1', 'vm-2']) {
      const service = `name=hello,port=${String(await sample(name))},check=http:/healthz`
      const url = `http://127.0.0.1:${String(ports.agents)}`
      const args = ['--id', name, '--gateway', url, '--service', service, '--drain-seconds', '0', '--probe-interval', '1']
      await children.start(`agent ${name}`, process.execPath, [agentProgram, ...args])
    }
    return { ports, consul, folder, kubernetes, pods, sample, stopSample: name => children.stop(`sample ${name}`), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startSample(children: Children, name: string, host = '127.0.0.1'): Promise<number> {
  const [port = 0] = await freePorts(1)
  await children.start(`sample ${name}`, process.execPath, [sampleProgram], { NAME: name, PORT: String(port), HOST: host })
  const deadline = performance.now() + 10_000
  for (;;) {
    try {
      await (await fetch(`http://${host}:${String(port)}/healthz`)).arrayBuffer()
      return port
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(20)
    }
  }
}
