import type { Clock, SourceLog } from '../../../src/discovery/contract.ts'
import { errorText } from '../../../src/model/errors.ts'
import type { KubeApi } from './api.ts'
import { type Lease, mayTake, released, sight, type Sighting, taken } from './lease-state.ts'

export interface ElectionGiven {
  readonly api: KubeApi
  readonly namespace: string
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
  const { api, clock, random, seconds, log, namespace, name, identity } = given
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
  let seen: Sighting | undefined
  let lease: Lease | undefined
  let renewedAt = -Infinity
  let complaint = ''
  const state = { leads: false }
  const lead = (leads: boolean): void => {
    if (state.leads === leads) return
    state.leads = leads
    log.info({ lease: `${namespace}/${name}`, identity }, leads ? 'this replica writes status' : 'this replica no longer writes status')
    given.onChange(leads)
  }
  const over = (): boolean => signal.aborted
  const isLeading = (): boolean => state.leads
  const wall = (): string => new Date(clock.wall()).toISOString().replace(/Z$/, '000Z')

  /** One attempt to take or renew; gives whether the lease is ours after it. */
  const attempt = async (signal: AbortSignal): Promise<boolean> => {
    const started = clock.now()
    const read = await api.call('GET', `${leases}/${name}`, { signal })
    if (read.status === 404) {
      const fresh: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace } }
      const made = await api.call('POST', leases, { body: { ...fresh, spec: taken(undefined, identity, seconds, wall()) }, signal })
      return keep(made, started)
    }
    if (read.status !== 200) throw new Error(answerText(read))
    const found = read.body as Lease
    seen = sight(seen, found.spec, clock.now())
    if (!mayTake(seen, found.spec, identity, clock.now())) return false
    const body = { ...found, spec: taken(found.spec, identity, seconds, wall()) }
    return keep(await api.call('PUT', `${leases}/${name}`, { body, signal }), started)
  }
  const keep = (answer: { readonly status: number; readonly body: unknown }, started: number): boolean => {
    // Another replica was faster.
    if (answer.status === 409) return false
    if (answer.status !== 200 && answer.status !== 201) throw new Error(answerText(answer))
    lease = answer.body as Lease
    renewedAt = started
    return true
  }

  while (!over()) {
    try {
      // An answer that comes later than the next attempt is worth nothing.
      lead(await attempt(AbortSignal.any([signal, AbortSignal.timeout((seconds * 1000) / 3)])))
      complaint = ''
    } catch (error) {
      if (over()) break
      const text = errorText(error)
      if (text !== complaint) log.warn({ lease: `${namespace}/${name}`, error: text }, 'the lease for writing status cannot be had')
      complaint = text
      if (clock.now() - renewedAt > (seconds * 1000 * 2) / 3) lead(false)
    }
    await clock.sleep((seconds * 1000 * (0.8 + 0.4 * random())) / 3, signal)
  }
  if (!isLeading()) return
  lead(false)
  const lastCall = AbortSignal.timeout(2000)
  try {
    const body = { ...lease, spec: released(lease?.spec, wall()) }
    await api.call('PUT', `${leases}/${name}`, { body, signal: lastCall })
  } catch (error) {
    log.info({ error: errorText(error) }, 'the lease for writing status could not be given back; it runs out by itself')
  }
}

/** What the API server said, in short. */
export function answerText({ status, body }: { readonly status: number; readonly body: unknown }): string {
  const message = (body as { message?: unknown } | null)?.message
  return typeof message === 'string' ? `${status}: ${message}` : `HTTP status ${status}`
}
