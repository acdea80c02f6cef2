/**
 * `npm run soak`: 100,000 endpoints under 1,000 changes a second for 60 seconds, with guards, last known good and ledger in files
 * (reference/performance.md P10 and issue-wide goals): delay of the event loop, memory over time, time until a client has a change.
 * With `--check` it fails beyond its bounds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DeltaClient } from '../bench/delta-client.ts'
import { benchPorts, machineTime, planManifests, startGateway } from '../bench/gateway.ts'
import { slopeOf, summarise } from '../bench/summary.ts'

const usage = `npm run soak -- [options]
  --services N    services (1000)
  --endpoints N   endpoints of each (100)
  --rate N        changes per second (1000)
  --seconds N     (60)
  --check         fails beyond its bounds
`

const { values } = parseArgs({
  options: {
    services: { type: 'string', default: '1000' },
    endpoints: { type: 'string', default: '100' },
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

/** Bounds of `--check`. */
const loopDelayP99Ms = 20
const memoryMbPerMinute = 10
const heapGrowth = 1.05
/** What the probe adds to every delay it samples. */
const probeMs = 5

interface Row {
  readonly name: string
  readonly value: string
  /** Undefined: no bound. */
  readonly isKept?: boolean
}

async function soak(): Promise<boolean> {
  const plan = { services: positive('services'), endpoints: positive('endpoints') }
  positive('rate')
  const seconds = positive('seconds')
  const ports = await benchPorts()
  const source = new URL('source.ts', import.meta.url).pathname
  const settings = `{ name: soak, type: ${source}, addresses: { allow: [] }, services: ${values.services}, endpoints: ${values.endpoints}, perSecond: ${values.rate} }`
  const gateway = await startGateway(planManifests(plan), [settings], ports, { keepsState: true, isPinned: false })
  try {
    await gateway.ready()
    const client = new DeltaClient(ports.xds)
    await client.sync(plan.services)
    // What follows from the start is over: the first write of everything to the disk above all.
    await sleep(15_000)
    const begin = await gateway.probe()
    await gateway.collect()
    const settled = await gateway.memory()
    const heapBefore = (await gateway.probe()).heap.usedMB
    const seenAt = new Map<string, number>()
    client.watch(bytes => {
      const at = Number(process.hrtime.bigint()) / 1e6
      for (const [address] of bytes.toString('latin1').matchAll(/10\.\d+\.\d+\.\d+/g)) if (!seenAt.has(address)) seenAt.set(address, at)
    })
    const agents = `http://127.0.0.1:${String(ports.agents)}`
    const before = await machineTime()
    const cpuBefore = await gateway.cpu()
    const waitedBefore = await gateway.waited()
    await fetch(`${agents}/soak/start?seconds=${String(seconds)}`, { method: 'POST' })
    const samples: { readonly x: number; readonly y: number }[] = []
    const began = performance.now()
    while (performance.now() - began < seconds * 1000) {
      await sleep(1000)
      samples.push({ x: (performance.now() - began) / 1000, y: (await gateway.memory()).now })
    }
    await sleep(500)
    const probe = await gateway.probe()
    const cpu = (await gateway.cpu()) - cpuBefore
    const waited = (await gateway.waited()) - waitedBefore
    const after = await machineTime()
    const sent = (await (await fetch(`${agents}/soak/sent`)).json()) as readonly number[]
    client.close()
    await gateway.collect()
    const last = await gateway.memory()
    const heapAfter = (await gateway.probe()).heap.usedMB
    const latencies = sent.flatMap((at, index) => {
      const seen = seenAt.get(addressOf(index + 1))
      return seen === undefined ? [] : [seen - at]
    })
    const latency = summarise(latencies)
    const slope = 60 * slopeOf(samples.slice(samples.length >> 2))
    const rows: Row[] = [
      {
        name: 'changes made / not seen',
        value: `${String(sent.length)} / ${String(sent.length - latencies.length)}`,
        isKept: sent.length === latencies.length,
      },
      {
        name: 'emitted → at the client, p50 / p90 / p99 / max ms',
        value: [latency.p50, latency.p90, latency.p99, latency.max].map(tenth).join(' / '),
      },
      {
        name: 'event-loop delay p50 / p99 / max ms',
        value: [probe.loop.p50, probe.loop.p99, probe.loop.max].map(one => tenth(one - probeMs)).join(' / '),
        isKept: probe.loop.p99 - probeMs <= loopDelayP99Ms,
      },
      {
        name: 'the same while everything was loaded and first written, p99 / max ms',
        value: [begin.loop.p99, begin.loop.max].map(one => tenth(one - probeMs)).join(' / '),
      },
      {
        name: 'garbage collection: count / p99 / longest ms',
        value: `${String(probe.gc.count)} / ${tenth(probe.gc.p99)} / ${tenth(probe.gc.max)}`,
      },
      { name: 'CPU ms per change', value: (cpu / sent.length).toFixed(2) },
      { name: 'main thread ready but without a processor, % of the time', value: tenth(waited / (seconds * 10)) },
      {
        name: 'RSS before / at most / after, the first and last after a full collection, MB',
        value: [settled.now, last.most, last.now].map(tenth).join(' / '),
      },
      {
        name: 'heap before / after, both after a full collection, MB',
        value: [heapBefore, heapAfter].map(tenth).join(' / '),
        isKept: heapAfter <= heapBefore * heapGrowth,
      },
      { name: 'RSS slope over the last three quarters, MB/min', value: tenth(slope), isKept: slope <= memoryMbPerMinute },
      {
        name: "time taken by the machine's host, %",
        value: tenth((100 * (after.steal - before.steal)) / Math.max(1, after.total - before.total)),
      },
    ]
    for (const { name, value, isKept } of rows) console.log(`| ${name} | ${value} |${isKept === false ? ' beyond its bound' : ''}`)
    return rows.every(row => row.isKept !== false)
  } finally {
    await gateway.stop()
  }
}

function addressOf(n: number): string {
  return `10.${String((n >> 16) & 255)}.${String((n >> 8) & 255)}.${String(n & 255)}`
}

function tenth(value: number): string {
  return value.toFixed(1)
}

function positive(option: 'services' | 'endpoints' | 'rate' | 'seconds'): number {
  const number = Number(values[option])
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${option} ${values[option]}: must be an integer of at least 1`)
  return number
}

if (values.help) console.log(usage)
else if (!(await soak()) && values.check) process.exitCode = 1
