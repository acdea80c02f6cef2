import { BackOff } from '../../src/discovery/back-off.ts'
import type { SourceContext } from '../../src/discovery/contract.ts'
import { type ConsulClient, type ConsulQuery, failureOf } from './client.ts'
import type { ConnectCa } from './connect-ca.ts'
import { judge, type ConsulAnswer, type Reading } from './reading.ts'

export interface FollowCaGiven {
  readonly ca: ConnectCa
  readonly client: ConsulClient
  readonly context: SourceContext
  readonly waitSeconds: number
  /** How instances of the mesh are reached is another thing now. */
  readonly onIdentity: () => void
  readonly over: AbortSignal
}

/** Least time between two reads: a certificate is renewed every few days. */
const leastPauseMs = 200

/** Follows the gateway's leaf and the roots of the mesh, until `over`; what fails is reported and tried again, and the last ones stay. */
export async function followCa(given: FollowCaGiven): Promise<void> {
  const { ca, client } = given
  const { service } = ca
  if (service === undefined) return
  await Promise.all([
    follow(
      given,
      `the leaf of ${service}`,
      query => client.connectLeaf(service, query),
      body => ca.takeLeaf(body),
    ),
    follow(
      given,
      'the roots',
      query => client.connectRoots(query),
      body => ca.takeRoots(body),
    ),
  ])
}

async function follow(
  { context, waitSeconds, onIdentity, over }: FollowCaGiven,
  what: string,
  read: (query: ConsulQuery) => Promise<ConsulAnswer>,
  take: (body: unknown) => boolean | undefined,
): Promise<void> {
  const { clock, random } = context
  // No service has such a name.
  const scope = `/connect ${what}`
  const backOff = new BackOff(500, 30_000)
  const isOver = (): boolean => over.aborted
  let index: string | undefined
  while (!isOver()) {
    const reading = await attempt(() => read({ index, waitSeconds, signal: over }), index)
    if (isOver()) return
    // The body itself is never shown: it may hold a key.
    const isNew = reading.kind === 'value' ? (reading.index === index ? false : take(reading.body)) : undefined
    if (reading.kind === 'value' && isNew !== undefined) {
      index = reading.index
      backOff.reset()
      context.report({ ok: true, scope })
      if (isNew) onIdentity()
      await clock.sleep(leastPauseMs, over)
      continue
    }
    index = undefined
    const { code, text } = reading.kind === 'error' ? reading : { code: 'consul-answer', text: 'the answer is something else' }
    context.report({ ok: false, code, error: `Consul Connect, ${what}: ${text}`, scope })
    await clock.sleep(backOff.next(random()), over)
  }
}

async function attempt(ask: () => Promise<ConsulAnswer>, index: string | undefined): Promise<Reading> {
  try {
    return judge(await ask(), () => true, index)
  } catch (error) {
    return failureOf(error)
  }
}
