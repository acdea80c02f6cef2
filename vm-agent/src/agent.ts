import { type GatewayClient, GatewayError, type Grant, type Health, textOf } from './client.ts'
import type { Log } from './log.ts'
import { keyOf, type PlacedService, type Prober } from './prober.ts'
import { backOffMs, renewDelayMs, type Time } from './time.ts'

export interface AgentGiven {
  readonly services: readonly PlacedService[]
  readonly ttlSeconds: number
  readonly zone: string | undefined
  readonly region: string | undefined
  readonly drainSeconds: number
  readonly client: GatewayClient
  readonly time: Time
  readonly log: Log
}

/** Calls of the farewell are not repeated for ever: the gateway may be away. */
const farewellMs = 3000
/** After so many renewals the id is ours alone. */
const settledRenewals = 3

/** Keeps an agent's lease: registers, renews, tells changes of health at once, and leaves in order. */
export class Agent {
  readonly #given: AgentGiven
  readonly #isHealthy: (service: PlacedService) => boolean
  #grant: Grant | undefined
  #sequence = 0
  /** Tells in a row that failed. */
  #failures = 0
  /** Times in a row that another registration took the id over. */
  #takeovers = 0
  #healthChanged = false
  #wake: () => void = () => undefined

  /** @param isHealthy what the probes say, see `Prober` */
  constructor(given: AgentGiven, isHealthy: Prober['isHealthy']) {
    this.#given = given
    this.#isHealthy = isHealthy
  }

  /** A service became healthy or unhealthy. */
  noteHealth(): void {
    this.#healthChanged = true
    this.#wake()
  }

  /** Holds the lease until `leave` aborts, then drains, waits and deregisters. `now` aborting cuts all of it short. */
  async run(leave: AbortSignal, now: AbortSignal): Promise<void> {
    // A registration on its way may have been taken already: it gets some time to say so, else nobody could end its lease.
    const late = new AbortController()
    const onLeave = (): void => void this.#given.time.sleep(farewellMs, now).then(() => late.abort())
    leave.addEventListener('abort', onLeave, { once: true })
    while (!leave.aborted) {
      const delay = await this.#tell(late.signal)
      if (!isAborted(leave)) await this.#wait(delay, leave)
    }
    if (!now.aborted) await this.#leave(now)
  }

  /** Registers or renews once; gives the time until the next one. */
  async #tell(signal: AbortSignal): Promise<number> {
    this.#healthChanged = false
    try {
      const grant = this.#grant
      this.#grant = grant === undefined ? await this.#register(signal) : await this.#renew(grant, signal)
      this.#failures = 0
      if (this.#sequence >= settledRenewals) this.#takeovers = 0
      return renewDelayMs(this.#grant.renewAfterSeconds, this.#given.time.random())
    } catch (error) {
      return isAborted(signal) ? 0 : this.#afterFailure(error)
    }
  }

  async #register(signal: AbortSignal): Promise<Grant> {
    const { client, services, ttlSeconds, zone, region, log } = this.#given
    const registered = services.map(service => this.#registration(service))
    const grant = await client.register({ services: registered, ttlSeconds, zone, region }, signal)
    this.#sequence = 0
    log('info', 'registered', { epoch: grant.epoch, ttlSeconds: grant.ttlSeconds, services: services.map(keyOf).join(' ') })
    return grant
  }

  async #renew(grant: Grant, signal: AbortSignal): Promise<Grant> {
    const { client, services } = this.#given
    const health: Record<string, Health> = Object.fromEntries(services.map(service => [keyOf(service), this.#healthOf(service)]))
    this.#sequence += 1
    return client.renew(grant.epoch, this.#sequence, health, signal)
  }

  #afterFailure(error: unknown): number {
    const { log, time } = this.#given
    const { status, retryAfterMs } = error instanceof GatewayError ? error : { status: 0, retryAfterMs: 0 }
    const failures = this.#failures++
    if (this.#grant !== undefined && status === 404) {
      this.#grant = undefined
      log('warn', 'the gateway does not know this lease, registering again')
      if (failures === 0) return 0
    } else if (this.#grant !== undefined && status === 409) {
      this.#grant = undefined
      this.#takeovers += 1
      log('error', 'another registration took this id over: if a second agent runs with the same --id, stop one; registering again', {
        error: textOf(error),
      })
    }
    // Two agents of one id must not chase each other at full speed.
    const delay = Math.max(retryAfterMs, backOffMs(failures + 2 * this.#takeovers, time.random()))
    // A lease is not given up for a gateway that is away for a while: the tries go on at least as often as renewals.
    const most = this.#grant === undefined ? Infinity : this.#grant.renewAfterSeconds * 1000
    const retryInMs = Math.round(retryAfterMs > 0 ? delay : Math.min(delay, most))
    log('warn', this.#grant === undefined ? 'not registered' : 'lease not renewed', { error: textOf(error), retryInMs })
    return retryInMs
  }

  async #leave(now: AbortSignal): Promise<void> {
    const { client, drainSeconds, log } = this.#given
    const grant = this.#grant
    if (grant === undefined) return
    log('info', 'draining', { seconds: drainSeconds })
    const drained = await this.#attempt('drain', signal => client.drain(grant.epoch, 'the agent was stopped', signal), now)
    if (drained) await this.#stayFor(drainSeconds * 1000, grant, now)
    if (isAborted(now)) return
    if (await this.#attempt('deregister', signal => client.deregister(grant.epoch, signal), now)) log('info', 'deregistered')
  }

  /** A long drain outlasts the lease: it goes on being renewed. */
  async #stayFor(drainMs: number, grant: Grant, now: AbortSignal): Promise<void> {
    const { time } = this.#given
    const end = time.now() + drainMs
    for (;;) {
      const left = end - time.now()
      if (left <= 0 || isAborted(now)) return
      const step = renewDelayMs(grant.renewAfterSeconds, time.random())
      await time.sleep(Math.min(left, step), now)
      if (left > step) await this.#attempt('renew', signal => this.#renew(grant, signal), now)
    }
  }

  async #attempt(what: string, call: (signal: AbortSignal) => Promise<unknown>, now: AbortSignal): Promise<boolean> {
    try {
      await call(AbortSignal.any([now, AbortSignal.timeout(farewellMs)]))
      return true
    } catch (error) {
      this.#given.log('warn', `${what} failed, the lease will run out by itself`, { error: textOf(error) })
      return false
    }
  }

  /** Until the delay is over, the health changes (if there is a lease to tell it on) or the agent is to leave. */
  async #wait(delay: number, leave: AbortSignal): Promise<void> {
    if (this.#healthChanged && this.#failures === 0) return
    const woken = new AbortController()
    const wake = (): void => woken.abort()
    this.#wake = () => {
      if (this.#failures === 0) wake()
    }
    leave.addEventListener('abort', wake)
    await this.#given.time.sleep(delay, woken.signal)
    leave.removeEventListener('abort', wake)
    this.#wake = () => undefined
  }

  #registration(service: PlacedService): object {
    const { name, namespace, address, ports, weight, tags, meta } = service
    return {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      address,
      ports: ports.map(port => ({ ...(port.name === '' ? {} : { name: port.name }), port: port.port })),
      ...(weight === undefined ? {} : { weight }),
      tags,
      meta,
      health: this.#healthOf(service),
    }
  }

  #healthOf(service: PlacedService): Health {
    return this.#isHealthy(service) ? 'healthy' : 'unhealthy'
  }
}

/** Read anew each time: it may change wherever something is awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}
