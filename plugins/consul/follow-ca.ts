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

/** One thing of the mesh that Consul is asked for. */
interface Followed {
  readonly what: string
  /** What the token needs for it. */
  readonly right: string
  readonly read: (query: ConsulQuery) => Promise<ConsulAnswer>
  /** Gives whether endpoints are other ones now; undefined: the answer is something else. */
  readonly take: (answer: ConsulAnswer) => boolean | undefined
}

/**
 * Follows the gateway's leaf, the roots of the mesh and the intentions about the gateway, until `over`; what fails is reported and tried
 * again, and the last ones stay.
 */
export async function followCa(given: FollowCaGiven): Promise<void> {
  const { ca, client } = given
  const { service } = ca
  if (service === undefined) return
  const followed: readonly Followed[] = [
    {
      what: `the leaf of ${service}`,
      right: `service:write on ${service}`,
      read: query => client.connectLeaf(service, query),
      take: ({ body }) => ca.takeLeaf(body),
    },
    { what: 'the roots', right: 'to exist', read: query => client.connectRoots(query), take: ({ body }) => ca.takeRoots(body) },
    {
      what: `the intentions of ${service}`,
      right: `service:read on ${service}`,
      read: query => client.intentionsOf(service, query),
      take: ({ body, headers }) => ca.takeIntentions(body, headers['x-consul-default-acl-policy']),
    },
  ]
  await Promise.all(followed.map(one => follow(given, one)))
}

async function follow({ context, waitSeconds, onIdentity, over }: FollowCaGiven, { what, right, read, take }: Followed): Promise<void> {
  const { clock, random } = context
  // No service has such a name.
  const scope = `/connect ${what}`
  const backOff = new BackOff(500, 30_000)
  const isOver = (): boolean => over.aborted
  let index: string | undefined
  while (!isOver()) {
    const { reading, answer } = await attempt(() => read({ index, waitSeconds, signal: over }), index, right)
    if (isOver()) return
    // The body itself is never shown: it may hold a key.
    const isNew = answer === undefined ? undefined : reading.index === index ? false : take(answer)
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

type Attempted =
  | { readonly reading: Extract<Reading, { kind: 'value' }>; readonly answer: ConsulAnswer }
  | { readonly reading: Extract<Reading, { kind: 'error' }>; readonly answer?: never }

async function attempt(ask: () => Promise<ConsulAnswer>, index: string | undefined, right: string): Promise<Attempted> {
  try {
    const answer = await ask()
    const reading = judge(answer, () => true, index, right)
    return reading.kind === 'value' ? { reading, answer } : { reading }
  } catch (error) {
    return { reading: failureOf(error) }
  }
}
