import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startConsul } from '../tools/consul-agent.ts'
import { startKubeCluster } from '../tools/kube-cluster.ts'
import { DeltaClient } from './delta-client.ts'
import { type BenchPorts, benchPorts, machineTime, type Probe, planManifests, startGateway } from './gateway.ts'
import { kubernetesSource } from './kubernetes.ts'
import { changedAddress, type Plan } from './plan.ts'
import { type BenchSource, consulSource, fileSource, vmSource } from './sources.ts'
import { type Summary, summarise } from './summary.ts'

export interface BenchCase extends Plan {
  readonly source: 'vm' | 'file' | 'consul' | 'kubernetes'
  /** EndpointSlices of each service; default 1. */
  readonly slices?: number
  readonly changes: number
  readonly perSecond: number
}

export interface BenchResult {
  /** ms from the change being sent to its source until the client has the response. */
  readonly sent: Summary
  /** ms from the source's answer until the client has the response; negative when the response was first. */
  readonly answered: Summary
  /** ms from the arrival of the watch's event at the gateway until the client has the response; without samples where no HTTP call brings changes. */
  readonly arrived: Summary
  readonly missed: number
  /** ms of the gateway's CPU per change, idle use subtracted. */
  readonly cpuMs: number
  /** Percent of one processor that the gateway uses while nothing changes. */
  readonly idlePercent: number
  readonly bytesPerChange: number
  /** Resident MB: before any endpoint; when all is loaded, after a full collection and as it is without one; and at most. */
  readonly memory: { readonly start: number; readonly settled: number; readonly asItIs: number; readonly most: number }
  /** Garbage collection and event-loop delay of the gateway during the changes. */
  readonly probe: Omit<Probe, 'arrivals'>
  /** Percent of the machine's time that its host took away meanwhile. */
  readonly stealPercent: number
  /**
   * From the start of the gateway's process until it is ready (of a Kubernetes source: from the moment when the API server, frozen until the
   * gateway runs, goes on), and from then until the client has every assignment.
   */
  readonly readySeconds: number
  readonly syncSeconds: number
  /** Longest delay of the event loop, ms, in that time. */
  readonly startStall: number
}

const warmUp = 200
const settleMs = 3000
/** Long enough for a few turns of what happens every second. */
const idleMs = 6000

/** Runs one case with a fresh gateway (and a fresh registry) and ends both. */
export async function runCase(given: BenchCase): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-bench-source-'))
  const ports = await benchPorts()
  const registry = await startRegistry(given, folder, ports)
  try {
    return await measure(given, registry.source, ports)
  } finally {
    await registry.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(given: BenchCase, source: BenchSource, ports: BenchPorts): Promise<BenchResult> {
  // Agents can register only once the gateway is there; the other registries come first, as in life.
  if (given.source !== 'vm') await source.prepare()
  source.freeze?.(true)
  let startedAt = performance.now()
  const gateway = await startGateway(planManifests(given), [source.settings], ports)
  try {
    if (source.freeze !== undefined) {
      await gateway.live()
      // Its manifests are another matter, too.
      await sleep(settleMs)
      await gateway.probe()
      startedAt = performance.now()
      source.freeze(false)
    }
    await gateway.ready()
    const readySeconds = (performance.now() - startedAt) / 1000
    const start = (await gateway.memory()).now
    if (given.source === 'vm') await source.prepare()
    const client = new DeltaClient(ports.xds)
    const syncingAt = performance.now()
    await client.sync(given.services)
    const syncSeconds = (performance.now() - syncingAt) / 1000
    const startStall = (await gateway.probe()).loop.max
    await makeChanges(given, source, client, 1, warmUp)
    await sleep(settleMs)
    const asItIs = (await gateway.memory()).now
    await gateway.collect()
    const settled = (await gateway.memory()).now
    const idle = await cpuDuring(gateway.cpu, () => sleep(idleMs))
    await gateway.probe()
    const machineBefore = await machineTime()
    const bytesBefore = client.bytes
    const began = performance.now()
    let samples: readonly Sample[] = []
    const used = await cpuDuring(gateway.cpu, async () => {
      samples = await makeChanges(given, source, client, warmUp + 1, given.changes)
    })
    const idleShare = (idle / idleMs) * (performance.now() - began)
    const machineAfter = await machineTime()
    const { arrivals, ...probe } = await gateway.probe()
    client.close()
    return {
      sent: summarise(samples.map(one => one.seenAt - one.sentAt)),
      answered: summarise(samples.map(one => one.seenAt - one.answeredAt)),
      arrived: summarise(samples.flatMap(one => sinceArrival(one, arrivals[one.address]))),
      missed: given.changes - samples.length,
      cpuMs: (used - idleShare) / given.changes,
      idlePercent: (100 * idle) / idleMs,
      bytesPerChange: (client.bytes - bytesBefore) / given.changes,
      memory: { start, settled, asItIs, most: (await gateway.memory()).most },
      readySeconds,
      syncSeconds,
      startStall,
      probe,
      stealPercent: (100 * (machineAfter.steal - machineBefore.steal)) / Math.max(1, machineAfter.total - machineBefore.total),
    }
  } finally {
    await gateway.stop()
  }
}

/** The gateway's stamps are of the machine's clock, ours count from the start of this process. */
const clockOffset = Number(process.hrtime.bigint()) / 1e6 - performance.now()

function sinceArrival({ seenAt }: Sample, arrivedAt: number | undefined): readonly number[] {
  return arrivedAt === undefined ? [] : [seenAt + clockOffset - arrivedAt]
}

/** One change: when it was sent to its registry, when that had answered, and when the client had the response; 0 until then. */
interface Sample {
  readonly address: string
  readonly sentAt: number
  answeredAt: number
  seenAt: number
}

/** Makes changes on a fixed schedule, whether or not those before have arrived, and waits for the last ones, at most 10 s. */
async function makeChanges(
  given: BenchCase,
  source: BenchSource,
  client: DeltaClient,
  first: number,
  count: number,
): Promise<readonly Sample[]> {
  const open = new Map<string, Sample>()
  client.watch((bytes, at) => {
    for (const [address, change] of open) if (change.seenAt === 0 && bytes.includes(address)) change.seenAt = at
  })
  const done: Sample[] = []
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const due = start + (i * 1000) / given.perSecond
    if (due > performance.now()) await sleep(due - performance.now())
    const n = first + i
    const change: Sample = { address: changedAddress(n), sentAt: performance.now(), answeredAt: 0, seenAt: 0 }
    open.set(change.address, change)
    done.push(change)
    void source.change(n, n % given.services).then(() => (change.answeredAt = performance.now()))
    for (const [address, old] of open) if (old.seenAt > 0 && old.answeredAt > 0) open.delete(address)
  }
  const deadline = performance.now() + 10_000
  while (done.some(change => change.seenAt === 0 || change.answeredAt === 0) && performance.now() < deadline) await sleep(20)
  return done.filter(change => change.seenAt > 0)
}

async function cpuDuring(cpu: () => Promise<number>, work: () => Promise<unknown>): Promise<number> {
  const before = await cpu()
  await work()
  return (await cpu()) - before
}

interface Registry {
  readonly source: BenchSource
  stop(): Promise<unknown>
}

async function startRegistry(given: BenchCase, folder: string, ports: BenchPorts): Promise<Registry> {
  switch (given.source) {
    case 'vm':
      return { source: vmSource(given, `http://127.0.0.1:${String(ports.agents)}`), stop: () => Promise.resolve() }
    case 'file':
      return { source: fileSource(given, join(folder, 'endpoints.yaml')), stop: () => Promise.resolve() }
    case 'consul': {
      const consul = await startConsul({ config: { limits: { http_max_conns_per_client: 4000 } } })
      return { source: consulSource(given, consul.url), stop: () => consul.stop() }
    }
    case 'kubernetes': {
      const cluster = await startKubeCluster()
      const source = kubernetesSource(given, given.slices ?? 1, cluster, await cluster.kubeconfigFile())
      return { source, stop: () => cluster.stop() }
    }
  }
}
