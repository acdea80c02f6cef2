import type { Locality } from '../../src/model/endpoint.ts'
import type { Health } from '../../src/model/health.ts'
import type { ServiceKey } from '../../src/model/service-key.ts'

/** One service as an agent registered it, with defaults filled in. */
export interface RegisteredService {
  readonly key: ServiceKey
  readonly address: string
  readonly ports: readonly RegisteredPort[]
  readonly weight: number
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
  /** What the agent said last. */
  readonly health: Health
  /** Where its machine is, if that was said; shared by all that are there. */
  readonly locality?: Locality
}

export interface RegisteredPort {
  readonly name: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

/** Silence, judged by our own monotonic clock (reference/discovery.md 4.1). A tombstoned lease is no lease any more. */
export type LeaseState = 'up' | 'suspect' | 'expired'

/** An agent's lease. `LeaseRegistry` alone changes it. */
export interface LeaseRecord {
  readonly agentId: string
  leaseId: string
  /** Fencing number: higher in every registration, of whichever agent. */
  epoch: number
  ttlMs: number
  /** Monotonic ms of the last registration or renewal. */
  renewedAt: number
  /** Of the last renewal that was taken. */
  sequence: number
  /** Why the agent drains; undefined when it does not. */
  draining: string | undefined
  /** As it was last emitted. */
  state: LeaseState
  services: Map<ServiceKey, RegisteredService>
}

/** What is left of a lease that ended: its epoch, which later registrations must exceed and late packets do not. */
export interface Tombstone {
  readonly agentId: string
  readonly epoch: number
  /** Monotonic ms. */
  readonly since: number
}

/** TTLs without a renewal until a lease is suspect, and until it is expired. */
const suspectAfter = 1
const expiredAfter = 3

/** The state a lease has at a time. */
export function stateAt({ renewedAt, ttlMs }: Pick<LeaseRecord, 'renewedAt' | 'ttlMs'>, now: number): LeaseState {
  const silent = now - renewedAt
  if (silent < suspectAfter * ttlMs) return 'up'
  return silent < expiredAfter * ttlMs ? 'suspect' : 'expired'
}

/** When that state ends if nothing is heard. `tombstoneMs`: how long a lease stays expired. */
export function stateEnds({ renewedAt, ttlMs, state }: LeaseRecord, tombstoneMs: number): number {
  switch (state) {
    case 'up':
      return renewedAt + suspectAfter * ttlMs
    case 'suspect':
      return renewedAt + expiredAfter * ttlMs
    case 'expired':
      return renewedAt + expiredAfter * ttlMs + tombstoneMs
  }
}

/** The `renewedAt` of a stored lease: as if renewed now, so that no agent pays for our absence, unless it was expired already. */
export function renewedAtRestore({ state, ttlMs }: { state: LeaseState; ttlMs: number }, silentMs: number, now: number): number {
  return state === 'expired' ? now - Math.max(expiredAfter * ttlMs, silentMs) : now
}

/** Whether two registrations of a service say the same. */
export function sameService(a: RegisteredService, b: RegisteredService): boolean {
  return (
    a.address === b.address &&
    a.health === b.health &&
    a.weight === b.weight &&
    a.locality === b.locality &&
    a.ports.length === b.ports.length &&
    a.ports.every((port, index) => samePort(port, b.ports[index])) &&
    sameList(a.tags, b.tags) &&
    sameList(Object.entries(a.meta).flat(), Object.entries(b.meta).flat())
  )
}

function samePort(a: RegisteredPort, b: RegisteredPort | undefined): boolean {
  return a.port === b?.port && a.name === b.name && a.protocol === b.protocol
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
