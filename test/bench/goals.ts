import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DirectChanges, paced } from './direct-changes.ts'
import { assignmentBytes, Fleet } from './fleet.ts'
import { type BenchGateway, benchPorts, planManifests, startGateway } from './gateway.ts'
import { changedAddress, type Plan } from './plan.ts'
import { median, type Summary, summarise } from './summary.ts'

/** One line of the table of goals. */
export interface GoalResult {
  readonly measure: string
  readonly goal: string
  readonly figure: string
  readonly isMet: boolean
}

/** How long the cases take: 1 is what the goals ask for. */
export interface Effort {
  readonly changes: number
  readonly stormRounds: number
  readonly stormStreams: number
}

export const fullEffort: Effort = { changes: 1000, stormRounds: 10, stormStreams: 1000 }
export const quickEffort: Effort = { changes: 200, stormRounds: 3, stormStreams: 200 }

/** Name → what is measured there; each starts gateways of its own. */
export const goalCases: Readonly<Record<string, (effort: Effort) => Promise<readonly GoalResult[]>>> = {
  changes: changesOf,
  scale: scaleOf,
  streams: streamsOf,
  storm: stormOf,
  memory: memoryOf,
}

const settleMs = 3000
const warmUp = 200

/** A gateway whose one source is driven by the bench, and its clients. */
class Stage {
  readonly plan: Plan
  readonly gateway: BenchGateway
  readonly fleet: Fleet
  readonly #changes: DirectChanges
  readonly #folder: string
  #next = 1
  #lastResponse: Buffer = Buffer.alloc(0)

  private constructor(plan: Plan, gateway: BenchGateway, changes: DirectChanges, folder: string) {
    this.plan = plan
    this.gateway = gateway
    this.fleet = new Fleet(gateway.ports.xds)
    this.#changes = changes
    this.#folder = folder
  }

  static async open(plan: Plan): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'isthmus-bench-direct-'))
    const changes = new DirectChanges(join(folder, 'source'))
    const gateway = await startGateway(planManifests(plan), [changes.settings(plan)], await benchPorts())
    await gateway.ready()
    await changes.connect()
    return new Stage(plan, gateway, changes, folder)
  }

  /** From the moment a change was handed to the gateway until a client has its bytes, ms: for each change and client. */
  async change(count: number, perSecond: number): Promise<Summary> {
    const first = this.#next
    this.#next += count
    const open = new Map<string, { readonly seen: number[]; acceptedAt: number }>()
    const samples: number[] = []
    const settle = (change: { readonly seen: number[]; readonly acceptedAt: number }): void => {
      if (change.acceptedAt > 0) for (const at of change.seen.splice(0)) samples.push(at - change.acceptedAt)
    }
    this.fleet.watch((response, at) => {
      for (const address of changesIn(response)) {
        const change = open.get(address)
        if (change === undefined) continue
        change.seen.push(at)
        settle(change)
      }
      this.#lastResponse = response
    })
    await paced(count, perSecond, index => {
      const number = first + index
      const change = { seen: [], acceptedAt: 0 }
      open.set(changedAddress(number), change)
      void this.#changes.change(number, number % this.plan.services).then(acceptedAt => {
        change.acceptedAt = acceptedAt
        settle(change)
      })
    })
    const wanted = count * this.fleet.size
    for (const deadline = performance.now() + 30_000; samples.length < wanted && performance.now() < deadline; ) await sleep(20)
    this.fleet.watch(() => undefined)
    if (samples.length < wanted) throw new Error(`${String(wanted - samples.length)} of ${String(wanted)} changes did not arrive`)
    return summarise(samples)
  }

  async close(): Promise<void> {
    await this.fleet.close()
    this.#changes.close()
    await this.gateway.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Of the last assignment that a change brought. */
  get assignmentBytes(): number {
    return assignmentBytes(this.#lastResponse)
  }

  /** Resident MB after a full collection. */
  async settledMB(): Promise<number> {
    await sleep(settleMs)
    await this.gateway.collect()
    return (await this.gateway.memory()).now
  }
}

/** Addresses in a response that a change has set: the field of a SocketAddress, so that nothing else is taken for one. */
function changesIn(response: Buffer): string[] {
  const found: string[] = []
  for (let at = response.indexOf('10.'); at > 1; at = response.indexOf('10.', at + 1))
    if (response[at - 2] === 0x12) found.push(response.toString('latin1', at, at + (response[at - 1] ?? 0)))
  return found
}

async function withStage<T>(plan: Plan, use: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await Stage.open(plan)
  try {
    return await use(stage)
  } finally {
    await stage.close()
  }
}

const ms = (value: number): string => value.toFixed(2)

function result(measure: string, goal: string, figure: string, isMet: boolean): GoalResult {
  return { measure, goal, figure, isMet }
}

async function changesOf({ changes }: Effort): Promise<readonly GoalResult[]> {
  const plan = { services: 1000, endpoints: 100 }
  const cases = [
    { streams: 1, perSecond: 50, count: changes, p50: 0.5, p99: 3 },
    { streams: 100, perSecond: 10, count: changes / 4, p50: 3, p99: 10 },
    { streams: 1000, perSecond: 2, count: changes / 20, p50: 20, p99: 60 },
  ]
  return withStage(plan, async stage => {
    const results: GoalResult[] = []
    for (const { streams, perSecond, count, p50, p99 } of cases) {
      const label = `N=1,000 M=100 K=${String(streams)}, Delta`
      await stage.fleet.grow(streams, plan.services)
      await stage.change(streams === 1 ? warmUp : 10, perSecond)
      const idle = await cpuDuring(stage, () => sleep(settleMs))
      await stage.gateway.probe()
      const before = stage.fleet.traffic
      const began = performance.now()
      let latency: Summary | undefined
      const used = await cpuDuring(stage, async () => {
        latency = await stage.change(count, perSecond)
        await sleep(100)
      })
      if (latency === undefined) throw new Error('nothing was measured')
      const cpu = (used - (idle / settleMs) * (performance.now() - began)) / count
      const after = stage.fleet.traffic
      const perChange = count * streams
      const [down, up] = [(after.down - before.down) / perChange, (after.up - before.up) / perChange]
      results.push(
        result(
          `${label}: change accepted → bytes, p50 / p99 ms`,
          `${String(p50)} / ${String(p99)}`,
          `${ms(latency.p50)} / ${ms(latency.p99)}`,
          latency.p50 <= p50 && latency.p99 <= p99,
        ),
        result(
          `${label}: CPU per change with ACKs, ms`,
          ms(0.15 + 0.03 * streams),
          cpu > 0 ? ms(cpu) : 'less than when idle: no figure',
          cpu > 0 && cpu <= 0.15 + 0.03 * streams,
        ),
      )
      if (streams > 1) continue
      const goalDown = stage.assignmentBytes + 120
      results.push(
        result(
          `${label}: bytes per change, down / up`,
          `assignment + 120 = ${String(goalDown)} / 100`,
          `${down.toFixed(0)} / ${up.toFixed(0)}`,
          down <= goalDown && up <= 100,
        ),
      )
      await stage.gateway.probe()
      const seconds = 30
      await stage.change(seconds * 10, 10)
      const { heap } = await stage.gateway.probe()
      const perSecondMB = heap.allocatedMB / seconds
      results.push(result(`${label}: garbage at 10 changes/s, MB/s`, '2', ms(perSecondMB), perSecondMB <= 2))
    }
    return results
  })
}

async function cpuDuring({ gateway }: Stage, work: () => Promise<unknown>): Promise<number> {
  const before = await gateway.cpu()
  await work()
  return (await gateway.cpu()) - before
}

/** Two gateways in turns, so that both see the same noise. */
async function scaleOf({ changes }: Effort): Promise<readonly GoalResult[]> {
  return withStage({ services: 100, endpoints: 10 }, few =>
    withStage({ services: 10_000, endpoints: 10 }, async many => {
      for (const stage of [few, many]) {
        await stage.fleet.grow(1, stage.plan.services)
        await stage.change(warmUp, 50)
      }
      const ratios: number[] = []
      for (let round = 0; round < 7; round++) {
        const before = await few.change(changes / 10, 20)
        ratios.push((await many.change(changes / 10, 20)).p50 / before.p50)
      }
      const ratio = median(ratios)
      return [result('N=10,000 against N=100 (M=10 K=1): p50, ratio', '1.2', ms(ratio), ratio <= 1.2)]
    }),
  )
}

async function streamsOf({ stormStreams }: Effort): Promise<readonly GoalResult[]> {
  const plan = { services: 1000, endpoints: 10 }
  return withStage(plan, async stage => {
    await stage.fleet.grow(1, plan.services)
    const one = await stage.settledMB()
    await stage.fleet.grow(1 + stormStreams, plan.services)
    const all = await stage.settledMB()
    const perStream = ((all - one) * 1e6) / 1024 / stormStreams
    return [
      result('RSS at 10,000 endpoints (N=1,000 M=10 K=1), MB', 'must 120, aim 90', one.toFixed(0), one <= 120),
      result(`memory of a stream (N=1,000, K=${String(stormStreams)}), KiB`, '60', perStream.toFixed(1), perStream <= 60),
    ]
  })
}

async function stormOf({ stormRounds, stormStreams }: Effort): Promise<readonly GoalResult[]> {
  const plan = { services: 1000, endpoints: 10 }
  return withStage(plan, async stage => {
    await stage.fleet.grow(stormStreams, plan.services)
    const [seconds, delays, memory]: [number[], number[], number[]] = [[], [], []]
    for (let round = 0; round <= stormRounds; round++) {
      await sleep(settleMs)
      await stage.gateway.probe()
      const times = await stage.fleet.storm()
      const { loop } = await stage.gateway.probe()
      const settled = await stage.settledMB()
      // The first round is for warming up.
      if (round === 0) continue
      seconds.push(Math.max(...times))
      delays.push(loop.p99)
      memory.push(settled)
    }
    const [slowest, delay] = [median(seconds), median(delays)]
    const growth = (memory.at(-1) ?? 0) - (memory[0] ?? 0)
    const label = `${String(stormStreams)} streams reconnect at once (N=1,000 M=10)`
    return [
      result(
        `${label}: all in sync, s (median of ${String(stormRounds)}; worst)`,
        '5',
        `${ms(slowest)}; ${ms(Math.max(...seconds))}`,
        slowest <= 5,
      ),
      result(`${label}: event-loop delay p99, ms (median; worst)`, '50', `${ms(delay)}; ${ms(Math.max(...delays))}`, delay <= 50),
      result(
        `${label}: RSS after each round, MB`,
        'no growth',
        memory.map(one => one.toFixed(0)).join(' '),
        growth <= (memory[0] ?? 0) * 0.05,
      ),
    ]
  })
}

async function memoryOf(): Promise<readonly GoalResult[]> {
  const plan = { services: 5000, endpoints: 100 }
  return withStage(plan, async stage => {
    await stage.fleet.grow(1, plan.services)
    const settled = await stage.settledMB()
    return [result('RSS at 500,000 endpoints (N=5,000 M=100 K=1), MB', 'must 450, aim 350', settled.toFixed(0), settled <= 450)]
  })
}
