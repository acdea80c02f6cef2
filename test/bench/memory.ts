import { type GoalResult, ms, result } from './goal-result.ts'
import type { Plan } from './plan.ts'
import { type Stage, withStage } from './stage.ts'

interface Size extends Plan {
  readonly most: number
  readonly aim: number
}

const sizes: readonly Size[] = [
  { services: 1000, endpoints: 10, most: 120, aim: 90 },
  { services: 1000, endpoints: 100, most: 250, aim: 250 },
  { services: 5000, endpoints: 100, most: 450, aim: 350 },
]

/** What endpoints cost: resident memory with one stream that holds everything, the state on disk, after a full collection. */
export async function memoryOf(): Promise<readonly GoalResult[]> {
  // Modules are compiled once per version, and the gateway that does so keeps more memory than those after it.
  await withStage({ services: 1, endpoints: 1 }, async stage => stage.fleet.grow(1, 1), { keepsState: true })
  const results: GoalResult[] = []
  for (const size of sizes) results.push(await withStage(size, stage => memoryAt(size, stage), { keepsState: true }))
  return results
}

async function memoryAt({ services, endpoints, most, aim }: Size, stage: Stage): Promise<GoalResult> {
  const { gateway } = stage
  const syncSeconds = await stage.fleet.grow(1, services)
  const stall = (await gateway.probe()).loop.max
  const settled = await stage.settledMB()
  const { usedMB } = (await gateway.probe()).heap
  const atMost = (await gateway.memory()).most
  const figures = `heap ${usedMB.toFixed(0)}; at most ${atMost.toFixed(0)}; first sync ${ms(syncSeconds)} s, longest stall until then ${stall.toFixed(0)} ms`
  return result(
    `RSS at ${(services * endpoints).toLocaleString('en')} endpoints (N=${services.toLocaleString('en')} M=${String(endpoints)} K=1), MB`,
    most === aim ? String(most) : `must ${String(most)}, aim ${String(aim)}`,
    `${settled.toFixed(0)} (${figures})`,
    settled <= most,
  )
}
