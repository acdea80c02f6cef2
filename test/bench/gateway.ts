import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findOnPath } from '../tools/cache.ts'
import { freePorts } from '../tools/local.ts'
import { type Child, startProcess } from '../tools/process.ts'
import { type Plan, serviceName } from './plan.ts'
import type { Summary } from './summary.ts'

/** After a collection pages are given back by other threads. */
const collectMs = 1500
/** Half a million endpoints, on a machine that has other things to do. */
const readyMs = 240_000

/** Delays include the 5 ms at which they are sampled. */
export interface Probe {
  readonly gc: Summary
  readonly loop: { readonly p50: number; readonly p99: number; readonly max: number }
  /** When each changed address arrived at the gateway, in answers to its own calls: ms of the machine's monotonic clock. */
  readonly arrivals: Readonly<Record<string, number>>
  /** What was allocated since, garbage or not, and what of the heap is in use. */
  readonly heap: { readonly allocatedMB: number; readonly usedMB: number }
}

/** A gateway in a process of its own. */
export interface BenchGateway {
  readonly ports: BenchPorts
  /** Writes a file of the folder of manifests, by a rename. */
  manifest(name: string, text: string): Promise<void>
  /** Resident memory now and at most, MB. */
  memory(): Promise<{ now: number; most: number }>
  /** Collects all garbage, and waits until that is surely done. */
  collect(): Promise<void>
  /** User and system time used so far, ms. */
  cpu(): Promise<number>
  /** How long the main thread was ready to run and had no processor, ms: what other work on the machine does to every latency. */
  waited(): Promise<number>
  /** Garbage collection and event-loop delay since it was last asked, ms. */
  probe(): Promise<Probe>
  /** Its admin address answers; it may not know anything yet. */
  live(): Promise<void>
  ready(): Promise<void>
  stop(): Promise<void>
}

export interface BenchPorts {
  readonly xds: number
  readonly admin: number
  readonly agents: number
}

export async function benchPorts(): Promise<BenchPorts> {
  const [xds = 0, admin = 0, agents = 0] = await freePorts(3)
  return { xds, admin, agents }
}

/** File name → text, of the folder of manifests. */
export type BenchManifests = Readonly<Record<string, string>>

/** Starts `isthmus serve` with manifests and sources; `isPinned` to CPU 0 where taskset is. */
export async function startGateway(
  given: BenchManifests,
  sources: readonly string[],
  ports: BenchPorts,
  { keepsState = false, isPinned = true } = {},
): Promise<BenchGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-bench-'))
  await mkdir(join(folder, 'manifests'))
  const manifest = async (name: string, text: string): Promise<void> => {
    await writeFile(join(folder, '.next'), text)
    await rename(join(folder, '.next'), join(folder, 'manifests', name))
  }
  for (const [name, text] of Object.entries(given)) await manifest(name, text)
  const file = join(folder, 'isthmus.yaml')
  const listen = (port: number): string => `"127.0.0.1:${String(port)}"`
  await writeFile(
    file,
    `id: bench
state: { path: ${keepsState ? './state' : '":memory:"'} }
xds: { listen: ${listen(ports.xds)} }
admin: { listen: ${listen(ports.admin)} }
agents: { listen: ${listen(ports.agents)} }
log: { level: warn }
manifests: [{ type: directory, path: ./manifests }]
sources:
${sources.map(source => `  - ${source}\n`).join('')}`,
  )
  const main = new URL('../../src/main.ts', import.meta.url).pathname
  const probe = new URL('probe.ts', import.meta.url).href
  const serve = [process.execPath, '--expose-gc', ...profiling(), '--import', probe, main, 'serve', '-c', file]
  const taskset = isPinned ? await findOnPath('taskset') : undefined
  const [program = '', ...args] = taskset === undefined ? serve : [taskset, '-c', '0', ...serve]
  const probed = join(folder, 'probe.json')
  const child = await startProcess(program, args, { env: { ISTHMUS_BENCH_PROBE: probed } })
  const answers = async (path: string): Promise<void> => {
    const url = `http://127.0.0.1:${String(ports.admin)}/${path}`
    await child.until(`the gateway does not say ${path}`, async () => (await fetch(url)).ok, readyMs)
  }
  return {
    ports,
    manifest,
    memory: () => memoryOf(child.pid),
    async collect() {
      await rm(`${probed}.collected`, { force: true })
      child.signal('SIGCONT')
      await child.until('the gateway does not collect its garbage', () => existsSync(`${probed}.collected`), 60_000)
      await sleep(collectMs)
    },
    cpu: () => cpuOf(child.pid),
    waited: async () => Number((await readFile(`/proc/${String(child.pid)}/schedstat`, 'utf8')).split(' ')[1]) / 1e6,
    async probe() {
      await rm(probed, { force: true })
      child.signal('SIGURG')
      await child.until('the gateway gives no figures', () => existsSync(probed), 10_000)
      return JSON.parse(await readFile(probed, 'utf8')) as Probe
    },
    live: () => answers('livez'),
    ready: () => answers('readyz'),
    stop: () => stop(child, folder),
  }
}

/** ISTHMUS_BENCH_PROFILE: a folder for a CPU profile of every gateway. */
function profiling(): readonly string[] {
  const folder = process.env['ISTHMUS_BENCH_PROFILE'] ?? ''
  return folder === '' ? [] : ['--cpu-prof', '--cpu-prof-dir', folder, '--cpu-prof-interval', '200']
}

async function stop(child: Child, folder: string): Promise<void> {
  await child.stop()
  await rm(folder, { recursive: true, force: true })
}

async function memoryOf(pid: number): Promise<{ now: number; most: number }> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8')
  const megabytes = (key: string): number => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) / 1000
  return { now: megabytes('VmRSS'), most: megabytes('VmHWM') }
}

/** Time of all processors since the machine started, and the part of it that its host took away; ticks. */
export async function machineTime(): Promise<{ readonly total: number; readonly steal: number }> {
  const ticks = (await readFile('/proc/stat', 'utf8')).split('\n', 1)[0]?.split(/\s+/).slice(1, 9).map(Number) ?? []
  return { total: ticks.reduce((sum, one) => sum + one, 0), steal: ticks[7] ?? 0 }
}

/** All threads: schedstat counts nanoseconds, where stat counts ticks of 10 ms. */
async function cpuOf(pid: number): Promise<number> {
  let total = 0
  for (const thread of await readdir(`/proc/${String(pid)}/task`)) {
    const text = await readFile(`/proc/${String(pid)}/task/${thread}/schedstat`, 'utf8').catch(() => '0')
    total += Number(text.split(' ')[0]) / 1e6
  }
  return total
}

/** One Listener, one Host, and a Mapping per service. */
export function planManifests(plan: Plan): BenchManifests {
  const head = `apiVersion: getambassador.io/v3alpha1
kind: Listener
metadata: { name: bench }
spec: { port: 8080, protocol: HTTP, securityModel: INSECURE, hostBinding: { namespace: { from: ALL } } }
---
apiVersion: getambassador.io/v3alpha1
kind: Host
metadata: { name: bench }
spec: { hostname: "*", requestPolicy: { insecure: { action: Route } } }
`
  const mapping = (name: string): string => `---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: { name: ${name} }
spec: { hostname: "*", prefix: /${name}/, service: ${name} }
`
  return { 'bench.yaml': head + Array.from({ length: plan.services }, (_, service) => mapping(serviceName(service))).join('') }
}
