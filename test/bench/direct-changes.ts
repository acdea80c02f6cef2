import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Plan } from './plan.ts'

/** The bench's end of the source in `direct-source.ts`. */
export class DirectChanges {
  readonly #path: string
  readonly #waiting = new Map<number, (acceptedAt: number) => void>()
  #socket: Socket | undefined

  /** `path`: of a Unix socket that the source makes. */
  constructor(path: string) {
    this.#path = path
  }

  /** The item of `sources` in isthmus.yaml, as YAML flow text. */
  settings({ services, endpoints }: Plan): string {
    const plugin = new URL('direct-source.ts', import.meta.url).pathname
    return `{ name: direct, type: "${plugin}", services: ${String(services)}, endpoints: ${String(endpoints)}, socket: "${this.#path}" }`
  }

  /** Connects to the source of a gateway that is there. */
  async connect(): Promise<void> {
    const socket = connect(this.#path)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    this.#socket = socket
    createInterface({ input: socket }).on('line', line => {
      const [number = 0, acceptedAt = 0] = JSON.parse(line) as number[]
      this.#waiting.get(number)?.(acceptedAt)
      this.#waiting.delete(number)
    })
  }

  /**
   * Change number `n` (from 1) on a service; resolves with the moment at which the gateway had it, `machineNow()`. `isDropped`: the source makes
   * the change and does not hand it over. `endpoints`: how many the service then has (all; 0: it is gone).
   */
  change(n: number, service: number, isDropped = false, endpoints?: number): Promise<number> {
    return new Promise(resolve => {
      this.#waiting.set(n, resolve)
      this.#socket?.write(`${JSON.stringify([n, service, isDropped, ...(endpoints === undefined ? [] : [endpoints])])}\n`)
    })
  }

  close(): void {
    this.#socket?.destroy()
  }
}

/** One clock for all processes of this machine, ms. */
export function machineNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Calls `act` so many times on a fixed schedule, however long each takes. */
export async function paced(count: number, perSecond: number, act: (index: number) => void): Promise<void> {
  const start = performance.now()
  for (let index = 0; index < count; index++) {
    const due = start + (index * 1000) / perSecond
    if (due > performance.now()) await sleep(due - performance.now())
    act(index)
  }
}
