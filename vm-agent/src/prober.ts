import { countProbe, type HealthCount, newHealthCount } from './health-count.ts'
import type { Log } from './log.ts'
import type { ServiceOption } from './options.ts'
import { probe, type Target } from './probe.ts'
import type { Time } from './time.ts'

export interface ProberSettings {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly rise: number
  readonly fall: number
}

/** A service with the address it is reached at. */
export type PlacedService = ServiceOption & { readonly address: string }

/** Probes all ports of all services until aborted, and says which services are healthy. A service is healthy when all its ports are. */
export class Prober {
  readonly #services: readonly PlacedService[]
  readonly #settings: ProberSettings
  readonly #time: Time
  readonly #log: Log
  readonly #onChange: () => void
  readonly #counts = new Map<string, HealthCount>()

  /** @param onChange called when a service became healthy or unhealthy */
  constructor(services: readonly PlacedService[], settings: ProberSettings, time: Time, log: Log, onChange: () => void) {
    this.#services = services
    this.#settings = settings
    this.#time = time
    this.#log = log
    this.#onChange = onChange
  }

  isHealthy(service: PlacedService): boolean {
    return service.ports.every(
      ({ port, check }) => check.kind === 'none' || this.#counts.get(`${keyOf(service)} ${port}`)?.isHealthy === true,
    )
  }

  /** Resolves after the abort. */
  async run(signal: AbortSignal): Promise<void> {
    const ports = this.#services.flatMap(service => service.ports.map(port => ({ service, port })))
    const probed = ports.filter(({ port }) => port.check.kind !== 'none')
    await Promise.all(probed.map(({ service, port }) => this.#keepProbing(service, { address: service.address, ...port }, signal)))
  }

  async #keepProbing(service: PlacedService, target: Target, signal: AbortSignal): Promise<void> {
    const { intervalMs, timeoutMs } = this.#settings
    const key = `${keyOf(service)} ${target.port}`
    while (!signal.aborted) {
      const began = this.#time.now()
      const failure = await probe(target, timeoutMs, signal)
      if (isAborted(signal)) return
      // An agent that got no processor time must not blame the service.
      const starved = this.#time.now() - began > timeoutMs + intervalMs
      if (failure === undefined || !starved) this.#count(service, key, target, failure)
      await this.#time.sleep(intervalMs * (0.9 + 0.2 * this.#time.random()), signal)
    }
  }

  #count(service: PlacedService, key: string, target: Target, failure: string | undefined): void {
    const isFirst = !this.#counts.has(key)
    const before = this.#counts.get(key) ?? newHealthCount
    const wasHealthy = this.isHealthy(service)
    const after = countProbe(before, failure === undefined, this.#settings)
    this.#counts.set(key, after)
    if (isFirst || before.isHealthy !== after.isHealthy) {
      const detail = failure === undefined ? {} : { error: failure }
      const place = `${target.check.kind} probe of ${target.address} port ${target.port}`
      this.#log(failure === undefined ? 'info' : 'warn', `${place}: ${after.isHealthy ? 'healthy' : 'unhealthy'}`, {
        service: service.name,
        ...detail,
      })
    }
    if (this.isHealthy(service) !== wasHealthy) this.#onChange()
  }
}

/** `namespace/name`, or the bare name in the gateway's own namespace: the key of a renewal's health. */
export function keyOf({ namespace, name }: Pick<ServiceOption, 'namespace' | 'name'>): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** Read anew each time: it may change wherever something is awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}
