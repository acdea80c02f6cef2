import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { IsthmusError } from '../../src/model/errors.ts'
import type { Health } from '../../src/model/health.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'
import { Claims, type Disputed, placeOf } from './claims.ts'
import { type LeaseRecord, type RegisteredService, sameService, stateAt, stateEnds, type Tombstone } from './lease.ts'
import { RequestFault } from './problem.ts'
import { goneGroup, groupOf } from './translate.ts'

/** What one operation did: the groups to emit, the agents whose stored state changed, and what people should know. */
export interface Outcome {
  readonly groups: readonly EndpointGroup[]
  readonly touched: readonly string[]
  readonly events: readonly LeaseEvent[]
}

export interface LeaseEvent {
  readonly kind:
    | 'registered'
    | 'replaced'
    | 'fenced'
    | 'restored'
    | 'suspect'
    | 'expired'
    | 'returned'
    | 'draining'
    | 'deregistered'
    | 'tombstoned'
  readonly agentId: string
  readonly epoch: number
  readonly detail?: string
}

export interface Registering {
  readonly agentId: string
  readonly leaseId: string
  readonly ttlMs: number
  readonly services: readonly RegisteredService[]
}

export interface Renewing {
  readonly agentId: string
  readonly epoch: number
  /** Undefined: the next one. */
  readonly sequence: number | undefined
  readonly health: Health | ReadonlyMap<ServiceKey, Health> | undefined
}

/** All leases of one source. It has no clock: every operation is told the monotonic time. A refused operation changes nothing. */
export class LeaseRegistry {
  readonly #leases = new Map<string, LeaseRecord>()
  readonly #tombstones = new Map<string, Tombstone>()
  readonly #claims = new Claims()
  readonly #tombstoneMs: number
  #lastEpoch: number

  /** @param firstEpoch lower bound of the epochs that are given out */
  constructor(tombstoneMs: number, firstEpoch: number) {
    this.#tombstoneMs = tombstoneMs
    this.#lastEpoch = firstEpoch - 1
  }

  get lastEpoch(): number {
    return this.#lastEpoch
  }

  lease(agentId: string): LeaseRecord | undefined {
    return this.#leases.get(agentId)
  }

  tombstone(agentId: string): Tombstone | undefined {
    return this.#tombstones.get(agentId)
  }

  leases(): Iterable<LeaseRecord> {
    return this.#leases.values()
  }

  /** The places that several agents claim, of which all but the last one's registration are fenced. */
  disputed(): readonly Disputed[] {
    return [...this.#claims.disputed()]
  }

  /** Every group there is. */
  groups(): EndpointGroup[] {
    return [...this.#leases.values()].flatMap(lease => this.#groupsOf(lease))
  }

  /** Takes stored leases and tombstones over, in the order of their epochs, so that claims end as they were. */
  restore(leases: readonly LeaseRecord[], tombstones: readonly Tombstone[]): void {
    for (const tombstone of tombstones) {
      this.#tombstones.set(tombstone.agentId, tombstone)
      this.#lastEpoch = Math.max(this.#lastEpoch, tombstone.epoch)
    }
    for (const lease of leases.toSorted((a, b) => a.epoch - b.epoch)) {
      this.#leases.set(lease.agentId, lease)
      this.#lastEpoch = Math.max(this.#lastEpoch, lease.epoch)
      for (const place of placesOf(lease.services.values())) this.#claims.take(lease.agentId, place)
    }
  }

  /** A new epoch for an agent, whose services replace those it had. */
  register({ agentId, leaseId, ttlMs, services }: Registering, now: number): { readonly lease: LeaseRecord } & Outcome {
    const before = this.#leases.get(agentId)
    const former = before?.services ?? new Map<ServiceKey, RegisteredService>()
    const lease: LeaseRecord = {
      agentId,
      leaseId,
      epoch: ++this.#lastEpoch,
      ttlMs,
      renewedAt: now,
      sequence: 0,
      draining: undefined,
      state: 'up',
      services: new Map(services.map(service => [service.key, service])),
    }
    this.#leases.set(agentId, lease)
    this.#tombstones.delete(agentId)
    const moved = this.#moveClaims(lease, former.values())
    // A lease that was plainly up leaves equal services as they are: no group of theirs is emitted.
    const wasPlain = before !== undefined && before.state === 'up' && before.draining === undefined
    const groups: EndpointGroup[] = []
    for (const service of services) {
      const same = former.get(service.key)
      if (!wasPlain || same === undefined || !sameService(same, service) || moved.taken.has(service.key))
        groups.push(this.#group(lease, service))
    }
    for (const service of former.values()) if (!lease.services.has(service.key)) groups.push(goneGroup(agentId, service))
    const event: LeaseEvent = { kind: before === undefined ? 'registered' : 'replaced', agentId, epoch: lease.epoch }
    return { lease, groups: [...groups, ...moved.groups], touched: [agentId], events: [event, ...moved.events] }
  }

  /** A sign of life. One with an old sequence number is taken as such, but not its health. Throws `lease-unknown` or `lease-epoch`. */
  renew({ agentId, epoch, sequence, health }: Renewing, now: number): { readonly lease: LeaseRecord } & Outcome {
    const lease = this.#current(agentId, epoch)
    if (typeof health === 'object') {
      const strange = [...health.keys()].find(key => !lease.services.has(key))
      if (strange !== undefined) {
        const pointer = `/health/${strange.replaceAll('~', '~0').replaceAll('/', '~1')}`
        throw new RequestFault('the renewal was not taken', [{ pointer, detail: `agent ${agentId} registered no service ${strange}` }])
      }
    }
    const next = sequence ?? lease.sequence + 1
    const isNews = next > lease.sequence
    const returned = lease.state !== 'up'
    lease.renewedAt = now
    lease.state = 'up'
    lease.sequence = Math.max(lease.sequence, next)
    const changed: RegisteredService[] = []
    if (isNews && health !== undefined) {
      for (const service of lease.services.values()) {
        const says = typeof health === 'string' ? health : (health.get(service.key) ?? service.health)
        if (says === service.health) continue
        const updated = { ...service, health: says }
        lease.services.set(service.key, updated)
        changed.push(updated)
      }
    }
    const groups = returned ? this.#groupsOf(lease) : changed.map(service => this.#group(lease, service))
    return { lease, groups, touched: [agentId], events: returned ? [{ kind: 'returned', agentId, epoch: lease.epoch }] : [] }
  }

  /** All services of an agent drain until it registers again. Throws `lease-unknown` or `lease-epoch`. */
  drain(agentId: string, epoch: number | undefined, reason: string): { readonly lease: LeaseRecord } & Outcome {
    const lease = this.#current(agentId, epoch)
    const isNews = lease.draining !== reason
    lease.draining = reason
    const events: LeaseEvent[] = isNews ? [{ kind: 'draining', agentId, epoch: lease.epoch, detail: reason }] : []
    return { lease, groups: isNews ? this.#groupsOf(lease) : [], touched: [agentId], events }
  }

  /** An agent leaves for good. Throws `lease-unknown` or `lease-epoch`. */
  deregister(agentId: string, epoch: number | undefined, now: number): Outcome {
    return this.#end(this.#current(agentId, epoch), 'deregistered', now)
  }

  /** Moves every lease to the state that its silence asks for. `next`: when to call again, if nothing else happens. */
  sweep(now: number): Outcome & { readonly next: number } {
    const outcomes: Outcome[] = []
    let next = Infinity
    for (const lease of this.#leases.values()) {
      if (lease.state === 'expired' && stateEnds(lease, this.#tombstoneMs) <= now) {
        outcomes.push(this.#end(lease, 'tombstoned', now))
        continue
      }
      const state = stateAt(lease, now)
      if (state !== 'up' && state !== lease.state) {
        lease.state = state
        outcomes.push({
          groups: this.#groupsOf(lease),
          touched: [lease.agentId],
          events: [{ kind: state, agentId: lease.agentId, epoch: lease.epoch }],
        })
      }
      next = Math.min(next, stateEnds(lease, this.#tombstoneMs))
    }
    for (const { agentId, since } of this.#tombstones.values()) {
      if (since + this.#tombstoneMs > now) next = Math.min(next, since + this.#tombstoneMs)
      else {
        this.#tombstones.delete(agentId)
        outcomes.push({ groups: [], touched: [agentId], events: [] })
      }
    }
    return {
      groups: outcomes.flatMap(outcome => outcome.groups),
      touched: outcomes.flatMap(outcome => outcome.touched),
      events: outcomes.flatMap(outcome => outcome.events),
      next,
    }
  }

  #current(agentId: string, epoch: number | undefined): LeaseRecord {
    const lease = this.#leases.get(agentId)
    if (lease === undefined) {
      const buried = this.#tombstones.get(agentId)
      if (buried !== undefined && epoch !== undefined && epoch < buried.epoch) throw wrongEpoch(agentId, epoch, buried.epoch)
      throw new IsthmusError('lease-unknown', `agent ${agentId} has no lease here: register with PUT /v1/registrations/${agentId}`)
    }
    if (epoch !== undefined && epoch !== lease.epoch) throw wrongEpoch(agentId, epoch, lease.epoch)
    return lease
  }

  #end(lease: LeaseRecord, kind: 'deregistered' | 'tombstoned', now: number): Outcome {
    const { agentId, epoch } = lease
    this.#leases.delete(agentId)
    this.#tombstones.set(agentId, { agentId, epoch, since: now })
    const gone = [...lease.services.values()].map(service => goneGroup(agentId, service))
    const moved = this.#moveClaims({ ...lease, services: new Map() }, lease.services.values())
    return { groups: [...gone, ...moved.groups], touched: [agentId], events: [{ kind, agentId, epoch }, ...moved.events] }
  }

  /** Gives a lease the places of its services and takes those of its former ones away. `taken`: its services that hold a place anew. */
  #moveClaims(lease: LeaseRecord, former: Iterable<RegisteredService>): Moved {
    const taken = new Set<ServiceKey>()
    const others = new Map<EndpointGroup['id'], EndpointGroup>()
    const events: LeaseEvent[] = []
    const wanted = new Set<string>()
    const tell = (kind: 'fenced' | 'restored', other: string, place: string): void => {
      const loser = this.#leases.get(other)
      if (loser === undefined) return
      events.push({ kind, agentId: other, epoch: loser.epoch, detail: `${place}, by agent ${lease.agentId}` })
      for (const service of loser.services.values()) {
        if (!service.ports.some(port => placeOf(service, port) === place)) continue
        const group = this.#group(loser, service)
        others.set(group.id, group)
      }
    }
    for (const service of lease.services.values()) {
      for (const port of service.ports) {
        const place = placeOf(service, port)
        wanted.add(place)
        const loser = this.#claims.take(lease.agentId, place)
        if (loser === undefined) continue
        taken.add(service.key)
        tell('fenced', loser, place)
      }
    }
    for (const place of placesOf(former)) {
      if (wanted.has(place)) continue
      const heir = this.#claims.release(lease.agentId, place)
      if (heir !== undefined) tell('restored', heir, place)
    }
    return { taken, groups: [...others.values()], events }
  }

  #groupsOf(lease: LeaseRecord): EndpointGroup[] {
    return [...lease.services.values()].map(service => this.#group(lease, service))
  }

  #group(lease: LeaseRecord, service: RegisteredService): EndpointGroup {
    return groupOf(lease, service, port => this.#claims.holds(lease.agentId, placeOf(service, port)))
  }
}

interface Moved {
  readonly taken: ReadonlySet<ServiceKey>
  readonly groups: readonly EndpointGroup[]
  readonly events: readonly LeaseEvent[]
}

function* placesOf(services: Iterable<RegisteredService>): Iterable<string> {
  for (const service of services) for (const port of service.ports) yield placeOf(service, port)
}

function wrongEpoch(agentId: string, given: number, current: number): IsthmusError {
  return new IsthmusError(
    'lease-epoch',
    `epoch ${given} of agent ${agentId} is not the current one (${current}): another registration took over, does a second agent use this id?`,
  )
}
