import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DirectChanges, paced } from './direct-changes.ts'
import { assignmentBytes, Fleet } from './fleet.ts'
import { type BenchGateway, benchPorts, planManifests, startGateway } from './gateway.ts'
import { changedAddress, type Plan } from './plan.ts'
import { type Summary, summarise } from './summary.ts'

/** For what is under way to end. */
export const settleMs = 3000

/** A gateway whose one source is driven by the bench, and its clients. */
export class Stage {
  readonly plan: Plan
  readonly gateway: BenchGateway
  readonly fleet: Fleet
  /** Its source's end. */
  readonly changes: DirectChanges
  readonly #folder: string
  #next = 1
  #assigned = 0

  private constructor(plan: Plan, gateway: BenchGateway, changes: DirectChanges, folder: string) {
    this.plan = plan
    this.gateway = gateway
    this.fleet = new Fleet(gateway.ports.xds)
    this.changes = changes
    this.#folder = folder
  }

  /** `keepsState`: on disk, as an installation does; else in memory. */
  static async open(plan: Plan, keepsState: boolean): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'isthmus-bench-direct-'))
    const changes = new DirectChanges(join(folder, 'source'))
    const gateway = await startGateway(planManifests(plan), [changes.settings(plan)], await benchPorts(), { keepsState })
    await gateway.ready()
    await changes.connect()
    return new Stage(plan, gateway, changes, folder)
  }

  /** From the moment a change was handed to the gateway until a client has its bytes, ms: for each change and client. */
  async change(count: number, perSecond: number): Promise<Summary> {
    const first = this.#next
    this.#next += count
    const open = new Map<string, { readonly seen: number[]; isSeen: boolean; acceptedAt: number }>()
    const samples: number[] = []
    const responses = new Set<Buffer>()
    const settle = (change: { readonly seen: number[]; readonly acceptedAt: number }): void => {
      if (change.acceptedAt > 0) for (const at of change.seen.splice(0)) samples.push(at - change.acceptedAt)
    }
    this.fleet.watch((response, at) => {
      for (const address of changesIn(response)) {
        const change = open.get(address)
        if (change === undefined) continue
        if (!change.isSeen) responses.add(response)
        change.isSeen = true
        change.seen.push(at)
        settle(change)
      }
    })
    await paced(count, perSecond, index => {
      const number = first + index
      const change = { seen: [], isSeen: false, acceptedAt: 0 }
      open.set(changedAddress(number), change)
      void this.changes.change(number, number % this.plan.services).then(acceptedAt => {
        change.acceptedAt = acceptedAt
        settle(change)
      })
    })
    const wanted = count * this.fleet.size
    for (const deadline = performance.now() + 30_000; samples.length < wanted && performance.now() < deadline; ) await sleep(20)
    this.fleet.watch(() => undefined)
    if (samples.length < wanted) throw new Error(`${String(wanted - samples.length)} of ${String(wanted)} changes did not arrive`)
    this.#assigned = [...responses].reduce((sum, response) => sum + assignmentBytes(response), 0) / count
    return summarise(samples)
  }

  /** The same, except that the source drops each change as soon as it is made: what the source itself costs. */
  drop(count: number, perSecond: number): Promise<void> {
    return paced(count, perSecond, index => void this.changes.change(this.#next + index, index % this.plan.services, true))
  }

  async close(): Promise<void> {
    await this.fleet.close()
    this.changes.close()
    await this.gateway.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Bytes of assignments to one client, of each of the changes measured last. */
  get assignmentBytes(): number {
    return this.#assigned
  }

  /** Resident MB after full collections. */
  async settledMB(): Promise<number> {
    await sleep(settleMs)
    // What is held weakly goes with the second one.
    await this.gateway.collect()
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

export async function withStage<T>(plan: Plan, use: (stage: Stage) => Promise<T>, { keepsState = false } = {}): Promise<T> {
  const stage = await Stage.open(plan, keepsState)
  try {
    return await use(stage)
  } finally {
    await stage.close()
  }
}
