import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startConsul } from '../tools/consul-agent.ts'
import { DeltaClient } from './delta-client.ts'
import { benchPorts, machineTime, type Probe, startGateway } from './gateway.ts'
import { changedAddress, type Plan } from './plan.ts'
import { type BenchSource, consulSource, fileSource, vmSource } from './sources.ts'
import { type Summary, summarise } from './summary.ts'

export interface BenchCase extends Plan {
  readonly source: 'vm' | 'file' | 'consul'
  readonly changes: number
  readonly perSecond: number
}

export interface BenchResult {
  /** ms from the change being sent to its source until the client has the response. */
  readonly sent: Summary
  /** ms from the source's answer until the client has the response; negative when the response was first. */
  readonly answered: Summary
  readonly missed: number
  /** ms of the gateway's CPU per change, idle use subtracted. */
  readonly cpuMs: number
  readonly bytesPerChange: number
  /** Resident MB: before any endpoint; when all is loaded, after a full collection and as it is without one; and at most. */
  readonly memory: { readonly start: number; readonly settled: number; readonly asItIs: number; readonly most: number }
  /** Garbage collection and event-loop delay of the gateway during the changes. */
  readonly probe: Probe
  /** Percent of the machine's time that its host took away meanwhile. */
  readonly stealPercent: number
  readonly syncSeconds: number
}

const warmUp = 200
const settleMs = 3000

/** Runs one case with a fresh gateway (and a fresh Consul) and ends both. */
export async function runCase(given: BenchCase): Promise<BenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'isthmus-bench-source-'))
  const ports = await benchPorts()
  const consul = given.source === 'consul' ? await startConsul({ config: { limits: { http_max_conns_per_client: 4000 } } }) : undefined
  const source = sourceOf(given, {
    agents: `http://127.0.0.1:${String(ports.agents)}`,
    consul: consul?.url ?? '',
    file: join(folder, 'endpoints.yaml'),
  })
  try {
    // Agents can register only once the gateway is there; the other registries come first, as in life.
    if (given.source !== 'vm') await source.prepare()
    const gateway = await startGateway(given, [source.settings], ports)
    try {
      await gateway.ready()
      const start = (await gateway.memory()).now
      if (given.source === 'vm') await source.prepare()
      const client = new DeltaClient(ports.xds)
      const started = performance.now()
      await client.sync(given.services)
      const syncSeconds = (performance.now() - started) / 1000
      await makeChanges(given, source, client, 1, warmUp)
      await sleep(settleMs)
      const asItIs = (await gateway.memory()).now
      await gateway.collect()
      const settled = (await gateway.memory()).now
      const idle = await cpuDuring(gateway.cpu, () => sleep(settleMs))
      await gateway.probe()
      const machineBefore = await machineTime()
      const bytesBefore = client.bytes
      const began = performance.now()
      let samples: Samples | undefined
      const used = await cpuDuring(gateway.cpu, async () => {
        samples = await makeChanges(given, source, client, warmUp + 1, given.changes)
      })
      const idleShare = (idle / settleMs) * (performance.now() - began)
      const machineAfter = await machineTime()
      const probe = await gateway.probe()
      client.close()
      return {
        sent: summarise(samples?.sent ?? []),
        answered: summarise(samples?.answered ?? []),
        missed: given.changes - (samples?.sent.length ?? 0),
        cpuMs: (used - idleShare) / given.changes,
        bytesPerChange: (client.bytes - bytesBefore) / given.changes,
        memory: { start, settled, asItIs, most: (await gateway.memory()).most },
        syncSeconds,
        probe,
        stealPercent: (100 * (machineAfter.steal - machineBefore.steal)) / Math.max(1, machineAfter.total - machineBefore.total),
      }
    } finally {
      await gateway.stop()
    }
  } finally {
    await consul?.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

interface Samples {
  readonly sent: number[]
  readonly answered: number[]
}

/** Makes changes on a fixed schedule, whether or not those before have arrived, and waits for the last ones, at most 10 s. */
async function makeChanges(given: BenchCase, source: BenchSource, client: DeltaClient, first: number, count: number): Promise<Samples> {
  const open = new Map<string, { sentAt: number; answeredAt: number; seenAt: number }>()
  client.watch((bytes, at) => {
    for (const [address, change] of open) if (change.seenAt === 0 && bytes.includes(address)) change.seenAt = at
  })
  const done: { sentAt: number; answeredAt: number; seenAt: number }[] = []
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const due = start + (i * 1000) / given.perSecond
    if (due > performance.now()) await sleep(due - performance.now())
    const n = first + i
    const change = { sentAt: performance.now(), answeredAt: 0, seenAt: 0 }
    open.set(changedAddress(n), change)
    done.push(change)
    void source.change(n, n % given.services).then(() => (change.answeredAt = performance.now()))
    for (const [address, old] of open) if (old.seenAt > 0 && old.answeredAt > 0) open.delete(address)
  }
  const deadline = performance.now() + 10_000
  while (done.some(change => change.seenAt === 0 || change.answeredAt === 0) && performance.now() < deadline) await sleep(20)
  const seen = done.filter(change => change.seenAt > 0)
  return { sent: seen.map(one => one.seenAt - one.sentAt), answered: seen.map(one => one.seenAt - one.answeredAt) }
}

async function cpuDuring(cpu: () => Promise<number>, work: () => Promise<unknown>): Promise<number> {
  const before = await cpu()
  await work()
  return (await cpu()) - before
}

function sourceOf(given: BenchCase, at: { agents: string; consul: string; file: string }): BenchSource {
  switch (given.source) {
    case 'vm':
      return vmSource(given, at.agents)
    case 'file':
      return fileSource(given, at.file)
    case 'consul':
      return consulSource(given, at.consul)
  }
}
