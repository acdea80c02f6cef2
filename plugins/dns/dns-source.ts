import type { DiscoverySource, SourceContext, SourceGiven } from '../../src/discovery/contract.ts'
import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { errorText } from '../../src/model/errors.ts'
import { serviceKey, type ServiceKey, splitServiceKey } from '../../src/model/service-key.ts'
import { resolveName, type ResolveOptions } from './resolve.ts'

/** A service and the name and port its instances are behind. */
export interface NamedService {
  readonly service: ServiceKey
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
}

export interface DnsOptions extends ResolveOptions {
  readonly names: readonly NamedService[]
  /** A record's time is taken for no less and no more than this (s). */
  readonly minTtlSeconds: number
  readonly maxTtlSeconds: number
}

/** A name that gives no answer is asked again after this, doubled each time up to a minute (ms). */
const firstRetryMs = 1000
const lastRetryMs = 60_000

/**
 * Looks names up again and again, each at the end of its time, each for itself: one that gives no answer keeps what it had
 * (reference/discovery.md 1.3). It has told everything once every name has answered, be it that it does not exist.
 */
export function dnsSource(options: DnsOptions, given: Pick<SourceGiven, 'admitAddress'>): DiscoverySource {
  return {
    async run(context) {
      const failing = new Set<ServiceKey>()
      const refused = new Map<ServiceKey, string>()
      const unread = new Set(options.names.map(one => one.service))
      const tell = (name: NamedService, addresses: readonly string[]): void => {
        const { group, refusals } = groupOf(name, addresses, given)
        if (refusals.length > 0) refused.set(name.service, refusals.join(', '))
        else refused.delete(name.service)
        context.emit([group])
        failing.delete(name.service)
        context.report({ ok: true, scope: name.service, notice: [...refused.values()].join('; ') })
        if (failing.size === 0) context.report({ ok: true })
        if (unread.delete(name.service) && unread.size === 0) context.synced()
      }
      const fail = (name: NamedService, error: unknown): void => {
        failing.add(name.service)
        const failure = { ok: false, code: 'source-failed', error: `${name.host} gives no answer: ${errorText(error)}` } as const
        context.report({ ...failure, scope: name.service })
        if (failing.size === options.names.length) context.report(failure)
      }
      if (unread.size === 0) context.synced()
      await Promise.all(options.names.map(name => keepResolving(name, options, context, { tell, fail })))
    },
  }
}

interface Outcome {
  readonly tell: (name: NamedService, addresses: readonly string[]) => void
  readonly fail: (name: NamedService, error: unknown) => void
}

async function keepResolving(name: NamedService, options: DnsOptions, context: SourceContext, { tell, fail }: Outcome): Promise<void> {
  const { signal, clock, random } = context
  const { minTtlSeconds, maxTtlSeconds } = options
  const isOver = (): boolean => signal.aborted
  let retryMs = firstRetryMs
  while (!isOver()) {
    let waitMs: number
    try {
      const { addresses, ttlSeconds } = await resolveName(name.host, options, signal)
      if (isOver()) return
      tell(name, addresses)
      retryMs = firstRetryMs
      // Spread, so that names of one time are not asked for in one instant.
      waitMs = Math.min(Math.max(ttlSeconds, minTtlSeconds), maxTtlSeconds) * 1000 * (1 + random() / 10)
    } catch (error) {
      if (isOver()) return
      fail(name, error)
      waitMs = retryMs * (0.5 + random() / 2)
      retryMs = Math.min(retryMs * 2, lastRetryMs)
    }
    await clock.sleep(waitMs, signal)
  }
}

function groupOf(
  { service, port }: NamedService,
  addresses: readonly string[],
  { admitAddress }: Pick<SourceGiven, 'admitAddress'>,
): { readonly group: EndpointGroup; readonly refusals: readonly string[] } {
  const refusals: string[] = []
  const endpoints = addresses.flatMap((given): readonly Endpoint[] => {
    try {
      const address = admitAddress(given)
      // Nothing says which of its addresses are one process: each is an instance.
      return [makeEndpoint({ address, port, id: address })]
    } catch (error) {
      refusals.push(`${splitServiceKey(service).name}: ${errorText(error)}`)
      return []
    }
  })
  return { group: { id: service, service, endpoints }, refusals }
}

/** `NAMESPACE/NAME` or `NAME` of the source's namespace. */
export function namedKey(text: string, namespace: string): ServiceKey {
  const slash = text.indexOf('/')
  return slash < 0 ? serviceKey(namespace, text) : serviceKey(text.slice(0, slash), text.slice(slash + 1))
}
