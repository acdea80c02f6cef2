import type { Clock, DiscoverySource, Lease, SourceContext, SourceGiven } from '../../src/discovery/contract.ts'
import { errorText, IsthmusError } from '../../src/model/errors.ts'
import type { LeaseRecord } from './lease.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import type { LeaseEvent, LeaseRegistry, Outcome } from './lease-registry.ts'

/** What must survive a crash is written this long after it happened, together with all else that happened meanwhile. */
const writeSoonMs = 5
/** Signs of life are written this late: a lost one costs nothing. */
const writeLazilyMs = 5000
/** Longest silence of this source towards its host. */
const reportMs = 10_000
/** The part of the source that its database errors belong to. */
const storeScope = 'leases.db'

/**
 * Leases and their source. Agents write through `perform` at any time; while a run is active every outcome is emitted at once, in the
 * same turn, and what happens between two runs is emitted by the next one.
 */
export class VmSource implements DiscoverySource {
  readonly #given: SourceGiven
  readonly #keeper: LeaseKeeper
  readonly #clock: Clock
  readonly #warmingMs: number
  /** Until then agents may be out there whose leases are not here. */
  #warmUntil = -Infinity
  #registry: LeaseRegistry | undefined
  #damage: string | undefined
  #context: SourceContext | undefined
  #wake: () => void = () => undefined
  /** When the sweeper looks again. */
  #sweepAt = Infinity
  /** When the next write is due; Infinity: none is. */
  #writeAt = Infinity
  #writeFailed = false

  /** `warmingMs`: see VmRules. */
  constructor(given: SourceGiven, keeper: LeaseKeeper, warmingMs: number) {
    this.#given = given
    this.#keeper = keeper
    this.#clock = given.clock
    this.#warmingMs = warmingMs
  }

  /** The time by which leases are judged. */
  now(): number {
    return this.#clock.now()
  }

  async run(context: SourceContext): Promise<void> {
    if (context.signal.aborted) return
    const registry = this.#open()
    this.#context = context
    const onAbort = (): void => this.#wake()
    context.signal.addEventListener('abort', onAbort)
    try {
      this.#sweep(registry)
      const isComplete = this.#warmUntil === -Infinity
      context.emit(registry.groups(), this.now(), isComplete ? 'explicit' : 'absent')
      context.synced({ warmingMs: Math.max(0, this.#warmUntil - this.now()), cause: isComplete ? 'explicit' : 'absent' })
      if (this.#damage !== undefined) context.report({ ok: false, code: 'state-damaged', error: this.#damage, scope: storeScope })
      this.#damage = undefined
      while (!isAborted(context)) {
        await this.#pause()
        if (isAborted(context)) break
        if (this.now() >= this.#sweepAt) this.#sweep(registry)
        if (this.now() >= this.#writeAt) this.#write(registry)
        this.#report(context, registry)
      }
    } finally {
      context.signal.removeEventListener('abort', onAbort)
      this.#context = undefined
      this.#write(registry)
      this.#keeper.close()
    }
  }

  /**
   * Does something to the leases on an agent's behalf, and emits what comes of it.
   * @param receivedAt when the request arrived
   * @param isUrgent whether it must soon be on disk even if no endpoint changes
   */
  perform<Result extends Outcome>(work: (registry: LeaseRegistry) => Result, receivedAt: number, isUrgent: boolean): Result {
    const registry = this.#open()
    const outcome = work(registry)
    this.#publish(outcome, receivedAt)
    // A restart serves what is on disk: a health that is not there yet would undo what Envoys were told.
    if (this.#keeper.isDirty) this.#plan(registry, isUrgent || outcome.groups.length > 0 ? writeSoonMs : writeLazilyMs)
    for (const agentId of outcome.touched) {
      const ends = this.#endOf(registry.lease(agentId))
      if (ends < this.#sweepAt) this.#replan(() => (this.#sweepAt = ends))
    }
    return outcome
  }

  /** For `GET /agents`. */
  leases(): readonly Lease[] {
    const now = this.now()
    const disputed = this.#registry?.disputed() ?? []
    return [...(this.#registry?.leases() ?? [])].map(lease => ({
      agentId: lease.agentId,
      leaseId: lease.leaseId,
      epoch: lease.epoch,
      state: lease.state === 'up' && lease.draining !== undefined ? 'draining' : lease.state,
      services: [...lease.services.keys()],
      ttlSeconds: lease.ttlMs / 1000,
      ageSeconds: Math.max(0, now - lease.renewedAt) / 1000,
      fenced: disputed.filter(({ fenced }) => fenced.includes(lease.agentId)).map(({ place, holder }) => ({ place, holder })),
    }))
  }

  /** Leases are read once, by whoever comes first: a run or an agent. */
  #open(): LeaseRegistry {
    if (this.#registry !== undefined) return this.#registry
    const { registry, damage, complete, refused } = this.#keeper.load(this.#given)
    if (!complete) this.#warmUntil = this.now() + this.#warmingMs
    this.#registry = registry
    this.#damage = damage
    if (damage !== undefined) this.#given.log.error({ source: this.#given.name, code: 'state-damaged' }, damage)
    if (refused.length > 0) {
      const shown = refused.slice(0, 5).join('; ')
      this.#given.log.warn(
        { source: this.#given.name, code: 'address-refused', count: refused.length },
        `stored services left out: ${shown}`,
      )
    }
    return registry
  }

  #sweep(registry: LeaseRegistry): void {
    const outcome = registry.sweep(this.now())
    this.#sweepAt = outcome.next
    this.#publish(outcome, this.now())
    if (this.#keeper.isDirty) this.#plan(registry, outcome.groups.length > 0 ? writeSoonMs : writeLazilyMs)
  }

  /** Says that it lives, and which addresses two agents dispute: one of them, at least, is set up wrongly. */
  #report(context: SourceContext, registry: LeaseRegistry): void {
    const disputed = registry.disputed()
    const texts = disputed
      .slice(0, 3)
      .map(({ place, holder, fenced }) => `${place} (agent ${holder} holds it, ${fenced.join(', ')} too claims it)`)
    const more = disputed.length > 3 ? ` and ${disputed.length - 3} more` : ''
    context.report({
      ok: true,
      scope: 'leases',
      notice:
        texts.length === 0 ? '' : `addresses registered by several agents: ${texts.join('; ')}${more}; deregister or correct one of them`,
    })
  }

  #publish({ groups, touched, events }: Outcome, receivedAt: number): void {
    // Agents say what goes, or the rules of leases do.
    if (groups.length > 0) this.#context?.emit(groups, receivedAt, 'explicit')
    this.#keeper.note(touched)
    for (const event of events) this.#tell(event)
    // Disputes that end in other ways are taken back by the next report.
    const isDisputed = events.some(({ kind }) => kind === 'fenced' || kind === 'restored')
    if (isDisputed && this.#context !== undefined && this.#registry !== undefined) this.#report(this.#context, this.#registry)
  }

  #plan(registry: LeaseRegistry, delayMs: number): void {
    if (this.#context === undefined) {
      // Nobody would write later: a run writes when it ends, and the next one may never come.
      this.#write(registry)
      this.#keeper.close()
      return
    }
    const due = this.now() + delayMs
    if (due < this.#writeAt) this.#replan(() => (this.#writeAt = due))
  }

  /** Sets an earlier time to wake the run at. */
  #replan(set: () => void): void {
    const before = this.#nextWake()
    set()
    if (this.#nextWake() < before) this.#wake()
  }

  #nextWake(): number {
    return Math.min(this.#sweepAt, this.#writeAt)
  }

  async #pause(): Promise<void> {
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await this.#clock.sleep(Math.min(Math.max(1, this.#nextWake() - this.now()), reportMs), woken.signal)
    this.#wake = () => undefined
  }

  #write(registry: LeaseRegistry): void {
    this.#writeAt = Infinity
    try {
      this.#keeper.flush(registry)
      if (this.#writeFailed) this.#context?.report({ ok: true, scope: storeScope })
      this.#writeFailed = false
    } catch (error) {
      this.#writeAt = this.now() + writeLazilyMs
      if (!this.#writeFailed)
        this.#given.log.error({ source: this.#given.name, error: errorText(error) }, 'leases are not written, kept in memory')
      this.#writeFailed = true
      this.#context?.report({
        ok: false,
        code: error instanceof IsthmusError ? error.code : 'state-unusable',
        error: errorText(error),
        scope: storeScope,
      })
    }
  }

  /** An upper bound of the time at which a lease must be looked at. */
  #endOf(lease: LeaseRecord | undefined): number {
    return lease === undefined ? Infinity : lease.renewedAt + lease.ttlMs
  }

  #tell({ kind, agentId, epoch, detail }: LeaseEvent): void {
    const data = { source: this.#given.name, agentId, epoch, event: `lease-${kind}`, ...(detail === undefined ? {} : { detail }) }
    const level = kind === 'replaced' ? 'debug' : kind === 'fenced' || kind === 'suspect' || kind === 'expired' ? 'warn' : 'info'
    this.#given.log[level](data, `agent ${agentId}: ${texts[kind]}${detail === undefined ? '' : ` (${detail})`}`)
  }
}

const texts: Record<LeaseEvent['kind'], string> = {
  registered: 'registered',
  replaced: 'registered again',
  fenced: 'lost an address, which registered anew',
  restored: 'has an address again, which was given up',
  suspect: 'did not renew its lease in time',
  expired: 'is silent, its endpoints are unhealthy now',
  returned: 'is back',
  draining: 'drains',
  deregistered: 'left',
  tombstoned: 'was silent for too long, its endpoints are removed',
}

/** Read anew each time: it may change wherever something is awaited. */
function isAborted({ signal }: SourceContext): boolean {
  return signal.aborted
}
