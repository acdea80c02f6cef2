import type { Resource } from './resource.ts'
import type { ProxiesReader, ProxyResourceStatus, Refusal, ProxyStatus, ProxyTypeStatus } from './status.ts'
import type { Stream, TypeState } from './stream.ts'
import type { ResourceType } from './type-urls.ts'

/** One client, over all its streams. */
interface Proxy {
  readonly streams: Set<Stream>
  readonly connectedAt: number
  disconnectedAt: number | undefined
  /** What it was, kept when the last stream ended. */
  last: Omit<ProxyStatus, 'state' | 'disconnectedAt' | 'streams'>
}

/** A client that left is shown this long, and so many of them at most. */
const rememberMs = 3_600_000
const rememberCount = 10_000

/** Knows every client by its node id (xds.md C4: state stays per stream; here it is only added up). */
export class Proxies implements ProxiesReader {
  readonly #wall: () => number
  readonly #proxies = new Map<string, Proxy>()

  constructor(wall: () => number) {
    this.#wall = wall
  }

  /** A stream has told who it is. `address`: where it comes from. */
  connected(stream: Stream, address: string): void {
    const { node } = stream
    this.#forgetOld()
    const now = this.#wall()
    const known = this.#proxies.get(node.id)
    const last = {
      nodeId: node.id,
      cluster: node.cluster,
      version: node.userAgent,
      address,
      place: node.place,
      connectedAt: now,
      types: [],
    }
    if (known === undefined || known.disconnectedAt !== undefined) {
      this.#proxies.delete(node.id)
      this.#proxies.set(node.id, { streams: new Set([stream]), connectedAt: now, disconnectedAt: undefined, last })
    } else {
      known.streams.add(stream)
      known.last = { ...last, connectedAt: known.connectedAt }
    }
  }

  /** It has a stream. */
  isConnected(nodeId: string): boolean {
    const proxy = this.#proxies.get(nodeId)
    return proxy !== undefined && proxy.disconnectedAt === undefined
  }

  /** A stream ends; call it while the stream still has its state. */
  disconnected(stream: Stream): void {
    const proxy = this.#proxies.get(stream.node.id)
    if (proxy?.streams.has(stream) !== true) return
    if (proxy.streams.size === 1) {
      proxy.last = { ...proxy.last, types: this.#types(proxy) }
      proxy.disconnectedAt = this.#wall()
    }
    proxy.streams.delete(stream)
  }

  proxies(): readonly ProxyStatus[] {
    this.#forgetOld()
    return [...this.#proxies.values()].map(proxy => this.#status(proxy)).sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }

  proxy(nodeId: string): ProxyStatus | undefined {
    const proxy = this.#proxies.get(nodeId)
    return proxy === undefined ? undefined : this.#status(proxy)
  }

  resources(nodeId: string, type: ResourceType): readonly ProxyResourceStatus[] {
    const found = new Map<string, ProxyResourceStatus>()
    for (const stream of this.#proxies.get(nodeId)?.streams ?? []) {
      const subscription = stream.types.get(type)?.subscription
      for (const name of subscription?.knownNames() ?? []) {
        const sentVersion = subscription?.sentVersion(name)
        const ackedVersion = subscription?.acked(name)?.version
        const current = stream.served(type, name)
        const currentVersion = current?.version
        const state =
          current !== undefined && subscription?.refuses(current) === true
            ? 'rejected'
            : ackedVersion === currentVersion
              ? 'synced'
              : sentVersion === currentVersion
                ? 'pending'
                : 'waiting'
        found.set(name, { name, sentVersion, ackedVersion, currentVersion, state })
      }
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  refusals(): readonly Refusal[] {
    const found: Refusal[] = []
    for (const [nodeId, { streams }] of this.#proxies) {
      for (const stream of streams) {
        for (const [type, { subscription, lastNack }] of stream.types) {
          for (const name of subscription.refusedNames) {
            const refused = stream.served(type, name)
            if (refused === undefined || !subscription.refuses(refused)) continue
            found.push({ nodeId, refused, acked: subscription.acked(name), text: lastNack?.text ?? '' })
          }
        }
      }
    }
    return found
  }

  /** What is served to a client under a name now, in its view. */
  served(nodeId: string, type: ResourceType, name: string): Resource | undefined {
    for (const stream of this.#proxies.get(nodeId)?.streams ?? []) return stream.served(type, name)
    return undefined
  }

  #status(proxy: Proxy): ProxyStatus {
    const { disconnectedAt } = proxy
    if (disconnectedAt !== undefined) return { ...proxy.last, disconnectedAt, streams: 0, state: 'disconnected' }
    const types = this.#types(proxy)
    const worst = (['rejected', 'pending'] as const).find(state => types.some(type => type.state === state)) ?? 'synced'
    return { ...proxy.last, types, disconnectedAt, streams: proxy.streams.size, state: worst }
  }

  #types(proxy: Proxy): readonly ProxyTypeStatus[] {
    const byType = new Map<ResourceType, ProxyTypeStatus>()
    for (const stream of proxy.streams) {
      for (const [type, state] of stream.types) {
        const status = typeStatus(type, state)
        const other = byType.get(type)
        byType.set(type, other === undefined ? status : together(other, status))
      }
    }
    return [...byType.values()]
  }

  #forgetOld(): void {
    const before = this.#wall() - rememberMs
    for (const [id, proxy] of this.#proxies) {
      if (proxy.disconnectedAt === undefined) continue
      if (proxy.disconnectedAt < before || this.#proxies.size > rememberCount) this.#proxies.delete(id)
    }
  }
}

function typeStatus(type: ResourceType, state: TypeState): ProxyTypeStatus {
  const { subscription } = state
  // A NACK that blames nobody counts until the next ACK.
  const rejected = subscription.quarantined > 0 || state.lastNack?.names.length === 0
  const pending = subscription.pending + (subscription.inFlight?.resources.length ?? 0)
  return {
    type,
    protocol: subscription.protocol,
    subscribed: subscription.subscribed,
    sent: state.sentCount,
    acked: state.ackedCount,
    nacked: state.nackedCount,
    lastSentAt: state.lastSentAt,
    lastAckAt: state.lastAckAt,
    pending,
    lastNack: state.lastNack,
    state: rejected ? 'rejected' : pending > 0 || subscription.inFlight !== undefined ? 'pending' : 'synced',
  }
}

/** One client's status of a type over two of its streams, such as two generations of an Envoy that restarts itself. */
function together(a: ProxyTypeStatus, b: ProxyTypeStatus): ProxyTypeStatus {
  const [older, newer] = (a.lastSentAt ?? 0) <= (b.lastSentAt ?? 0) ? [a, b] : [b, a]
  return {
    ...newer,
    subscribed: a.subscribed === 'all' || b.subscribed === 'all' ? 'all' : Math.max(a.subscribed, b.subscribed),
    sent: a.sent + b.sent,
    acked: a.acked + b.acked,
    nacked: a.nacked + b.nacked,
    lastAckAt: latest(a.lastAckAt, b.lastAckAt),
    pending: a.pending + b.pending,
    lastNack: newer.lastNack ?? older.lastNack,
    state: (['rejected', 'pending'] as const).find(state => a.state === state || b.state === state) ?? 'synced',
  }
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}
