import type { Clock, SourceLog } from '../../../src/discovery/contract.ts'
import { errorText } from '../../../src/model/errors.ts'
import type { KubeClient } from '../client.ts'
import { KubeFailure } from '../failure.ts'
import { type Lease, mayTake, released, sight, type Sighting, taken } from './lease-state.ts'

export interface ElectionGiven {
  readonly client: KubeClient
  /** Of the Lease; throws while it cannot be known. */
  readonly namespace: () => string
  readonly name: string
  /** Unique among replicas. */
  readonly identity: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: SourceLog
  /** Is called with true when the lease became ours, with false when it is no longer surely ours. */
  readonly onChange: (leads: boolean) => void
  /** How long a lease is good without renewal; renewal is tried every third of it. */
  readonly seconds: number
}

/**
 * Keeps trying to hold a Lease, so that one replica at a time writes status. The holder stops leading when it could not renew for two
 * thirds of `seconds`: before anybody else may take the lease. On abort the lease is given back.
 */
export async function elect(given: ElectionGiven, signal: AbortSignal): Promise<void> {
  const { client, clock, random, seconds, log, namespace, name, identity } = given
  const leases = (): string => `/apis/coordination.k8s.io/v1/namespaces/${namespace()}/leases`
  let seen: Sighting | undefined
  let lease: Lease | undefined
  let renewedAt = -Infinity
  let complaint = ''
  const state = { leads: false }
  const lead = (leads: boolean): void => {
    if (state.leads === leads) return
    state.leads = leads
    log.info({ lease: name, identity }, leads ? 'this replica writes status' : 'this replica no longer writes status')
    given.onChange(leads)
  }
  const over = (): boolean => signal.aborted
  const isLeading = (): boolean => state.leads
  const wall = (): string => new Date(clock.wall()).toISOString().replace(/Z$/, '000Z')

  /** One attempt to take or renew; gives whether the lease is ours after it. */
  const attempt = async (signal: AbortSignal): Promise<boolean> => {
    const started = clock.now()
    try {
      const found = await find(signal)
      if (found === undefined) {
        const fresh: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace: namespace() } }
        const body = { ...fresh, spec: taken(undefined, identity, seconds, wall()) }
        lease = await client.call<Lease>({ method: 'POST', path: leases(), body, signal })
      } else {
        seen = sight(seen, found.spec, clock.now())
        if (!mayTake(seen, found.spec, identity, clock.now())) return false
        const body = { ...found, spec: taken(found.spec, identity, seconds, wall()) }
        lease = await client.call<Lease>({ method: 'PUT', path: `${leases()}/${name}`, body, signal })
      }
    } catch (error) {
      // Another replica was faster.
      if (error instanceof KubeFailure && error.kind === 'conflict') return false
      throw error
    }
    renewedAt = started
    return true
  }
  const find = async (signal: AbortSignal): Promise<Lease | undefined> => {
    try {
      return await client.call<Lease>({ path: `${leases()}/${name}`, signal })
    } catch (error) {
      if (error instanceof KubeFailure && error.kind === 'absent') return undefined
      throw error
    }
  }

  while (!over()) {
    try {
      // An answer that comes later than the next attempt is worth nothing.
      lead(await attempt(AbortSignal.any([signal, AbortSignal.timeout((seconds * 1000) / 3)])))
      complaint = ''
    } catch (error) {
      if (over()) break
      const text = errorText(error)
      if (text !== complaint) log.warn({ lease: name, error: text }, 'the lease for writing status cannot be had')
      complaint = text
      if (clock.now() - renewedAt > (seconds * 1000 * 2) / 3) lead(false)
    }
    await clock.sleep((seconds * 1000 * (0.8 + 0.4 * random())) / 3, signal)
  }
  if (!isLeading()) return
  lead(false)
  try {
    const body = { ...lease, spec: released(lease?.spec, wall()) }
    await client.call({ method: 'PUT', path: `${leases()}/${name}`, body, signal: AbortSignal.timeout(2000) })
  } catch (error) {
    log.info({ error: errorText(error) }, 'the lease for writing status could not be given back; it runs out by itself')
  }
}
