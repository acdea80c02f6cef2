import { setTimeout as sleep } from 'node:timers/promises'
import { type GoalResult, result } from './goal-result.ts'
import { type Plan, serviceName } from './plan.ts'
import { type Stage, withStage } from './stage.ts'
import { slopeOf } from './summary.ts'

const plan: Plan = { services: 1000, endpoints: 10 }
const streams = 10
/** Six times the steady 10 of the goals, so that ten minutes stand for an hour. */
const changesPerSecond = 60
/** Of the changes: a service goes, and is back with the next one. */
const comesAndGoesEvery = 6
/** A stream is cut and comes back, s. */
const renewEverySeconds = 2
/** So many Mappings with clusters of their own come, and go again, this often, s. */
const mappings = 50
const mappingsEverySeconds = 10
const points = 10
/** Of what there is at the start, in all. */
const growthMost = 0.05

interface Point {
  readonly minute: number
  readonly rss: number
  readonly heap: number
}

/** Endpoints change, services, clusters and streams come and go; memory after full collections is to stay what it is. */
export function churnOf(minutes: number): Promise<readonly GoalResult[]> {
  return withStage(
    plan,
    async stage => {
      await stage.fleet.grow(streams, plan.services)
      // The first tenth is for warming up.
      const seen: Point[] = []
      let tick = 0
      for (let point = 0; point <= points; point++) {
        const until = performance.now() + (minutes * 60_000) / (points + 1)
        while (performance.now() < until) await second(stage, tick++)
        seen.push({ minute: ((point + 1) * minutes) / (points + 1), ...(await memoryOf(stage)) })
      }
      return [flatness('RSS', minutes, seen, one => one.rss), flatness('heap', minutes, seen, one => one.heap)]
    },
    { keepsState: true },
  )
}

async function memoryOf(stage: Stage): Promise<Omit<Point, 'minute'>> {
  const rss = await stage.settledMB()
  return { rss, heap: (await stage.gateway.probe()).heap.usedMB }
}

async function second(stage: Stage, tick: number): Promise<void> {
  const end = performance.now() + 1000
  const first = tick * changesPerSecond
  if (tick % renewEverySeconds === 0) void stage.fleet.renew(tick / renewEverySeconds)
  if (tick % mappingsEverySeconds === 0)
    await stage.gateway.manifest('more.yaml', (tick / mappingsEverySeconds) % 2 === 0 ? moreMappings(tick) : '')
  for (let index = 0; index < changesPerSecond; index++) {
    const number = first + index + 1
    const goes = number % comesAndGoesEvery === 0
    const service = goes || number % comesAndGoesEvery === 1 ? Math.floor(number / comesAndGoesEvery) : number
    await stage.changes.change(number, service % plan.services, false, goes ? 0 : plan.endpoints)
    const due = end - 1000 + (index * 1000) / changesPerSecond
    if (due > performance.now()) await sleep(due - performance.now())
  }
}

/** Names are new each time: nothing may stay of those that were. */
function moreMappings(tick: number): string {
  const mapping = (index: number): string => `---
apiVersion: getambassador.io/v3alpha1
kind: Mapping
metadata: { name: more-${String(index)} }
spec: { hostname: "*", prefix: /more-${String(tick)}-${String(index)}/, service: ${serviceName(index)}-${String(tick)} }
`
  return Array.from({ length: mappings }, (_, index) => mapping(index)).join('')
}

function flatness(what: string, minutes: number, seen: readonly Point[], of: (point: Point) => number): GoalResult {
  const slope = slopeOf(seen.map(one => ({ x: one.minute, y: of(one) })))
  const start = of(seen[0] ?? { minute: 0, rss: 0, heap: 0 })
  const load = `${String(changesPerSecond)} changes/s, services, clusters and ${String(streams)} streams come and go`
  return result(
    `churn of ${String(minutes)} min (N=1,000 M=10, ${load}): ${what} after full collections, MB`,
    'flat',
    `${seen.map(one => of(one).toFixed(0)).join(' ')}; slope ${slope.toFixed(2)} MB/min`,
    slope * minutes <= start * growthMost,
  )
}
