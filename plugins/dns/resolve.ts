import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

/** What a name means now. */
export interface Resolved {
  /** IP addresses, each once. */
  readonly addresses: readonly string[]
  /** How long that holds (s): the least that a record says. */
  readonly ttlSeconds: number
}

export interface ResolveOptions {
  /** `IP` or `IP:PORT`; empty: those of the system, and its hosts file. */
  readonly servers: readonly string[]
  readonly timeoutMs: number
  /** Holds for what has no time of its own: names of the hosts file, names that do not exist. */
  readonly otherTtlSeconds: number
}

/** Answers that say for certain that there is no such record. */
const nothing: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA'])

/**
 * Asks for the IPv4 and IPv6 addresses of a name. A name that does not exist has none; an answer that does not come throws. Where one family
 * answers and the other fails, as with servers that know nothing of IPv6, the one counts.
 * @throws the resolver's error, its `code` such as ESERVFAIL or ETIMEOUT
 */
export async function resolveName(host: string, options: ResolveOptions, signal: AbortSignal): Promise<Resolved> {
  const { servers, timeoutMs, otherTtlSeconds } = options
  if (isIP(host) !== 0) return { addresses: [host], ttlSeconds: otherTtlSeconds }
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 })
  if (servers.length > 0) resolver.setServers(servers)
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel)
  try {
    const answers = await Promise.allSettled([resolver.resolve4(host, { ttl: true }), resolver.resolve6(host, { ttl: true })])
    const records = answers.flatMap(answer => (answer.status === 'fulfilled' ? answer.value : []))
    if (records.length > 0)
      return { addresses: [...new Set(records.map(one => one.address))], ttlSeconds: Math.min(...records.map(one => one.ttl)) }
    for (const answer of answers) if (answer.status === 'rejected' && !nothing.has(codeOf(answer.reason))) throw answer.reason
    const addresses = servers.length > 0 ? [] : await fromHostsFile(host)
    return { addresses, ttlSeconds: otherTtlSeconds }
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

async function fromHostsFile(host: string): Promise<readonly string[]> {
  try {
    return [...new Set((await lookup(host, { all: true })).map(one => one.address))]
  } catch (error) {
    if (nothing.has(codeOf(error))) return []
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
