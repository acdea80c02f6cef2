import { setTimeout as sleep } from 'node:timers/promises'
import { churnOf } from './churn.ts'
import { type GoalResult, ms, result } from './goal-result.ts'
import { memoryOf } from './memory.ts'
import { settleMs, type Stage, withStage } from './stage.ts'
import { median, type Summary } from './summary.ts'

/** How long the cases take: 1 is what the goals ask for. */
export interface Effort {
  readonly changes: number
  readonly stormRounds: number
  readonly stormStreams: number
  readonly churnMinutes: number
}

export const fullEffort: Effort = { changes: 1000, stormRounds: 10, stormStreams: 1000, churnMinutes: 10 }
export const quickEffort: Effort = { changes: 200, stormRounds: 3, stormStreams: 200, churnMinutes: 1 }

/** Name → what is measured there; each starts gateways of its own. */
export const goalCases: Readonly<Record<string, (effort: Effort) => Promise<readonly GoalResult[]>>> = {
  changes: changesOf,
  scale: scaleOf,
  streams: streamsOf,
  storm: stormOf,
  memory: memoryOf,
  churn: ({ churnMinutes }) => churnOf(churnMinutes),
}

/** By then what runs for each change is compiled for speed. */
const warmUp = { changes: 5000, perSecond: 500 }

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
      if (streams === 1) await stage.change(warmUp.changes, warmUp.perSecond)
      else await stage.change(10, perSecond)
      const idle = (await cpuDuring(stage, () => sleep(settleMs))) / settleMs
      const cpuPerChange = async (work: () => Promise<unknown>): Promise<number> => {
        const began = performance.now()
        const used = await cpuDuring(stage, () => work().then(() => sleep(100)))
        return (used - idle * (performance.now() - began)) / count
      }
      const source = await cpuPerChange(() => stage.drop(count, perSecond))
      const before = stage.fleet.traffic
      let latency: Summary | undefined
      const cpu = (await cpuPerChange(async () => (latency = await stage.change(count, perSecond)))) - source
      if (latency === undefined) throw new Error('nothing was measured')
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
          `${label}: CPU per change with ACKs, ms (the source itself)`,
          ms(0.15 + 0.03 * streams),
          cpu > 0 ? `${ms(cpu)} (${ms(source)})` : 'less than without changes: no figure',
          cpu > 0 && cpu <= 0.15 + 0.03 * streams,
        ),
      )
      if (streams > 1) continue
      const goalDown = stage.assignmentBytes + 120
      results.push(
        result(
          `${label}: bytes per change, down / up`,
          `assignment + 120 = ${goalDown.toFixed(0)} / 100`,
          `assignment + ${(down - stage.assignmentBytes).toFixed(0)} = ${down.toFixed(0)} / ${up.toFixed(0)}`,
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
        await stage.change(warmUp.changes, warmUp.perSecond)
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
