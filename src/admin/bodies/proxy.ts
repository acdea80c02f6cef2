import type { ProxyResourceStatus, ProxyStatus } from '../../xds/status.ts'
import type { ProxyBody, ProxyResourceBody } from '../schemas.ts'
import { isoTime, rounded } from './endpoint.ts'

/** An Envoy as the API shows it; `now`: wall clock ms. */
export function proxyBodyOf(proxy: ProxyStatus, now: number): ProxyBody {
  const age = (at: number | undefined) => rounded(at === undefined ? undefined : Math.max(0, now - at) / 1000)
  return {
    nodeId: proxy.nodeId,
    cluster: proxy.cluster,
    version: proxy.version,
    address: proxy.address,
    locality: { region: proxy.place?.region ?? '', zone: proxy.place?.zone ?? '' },
    connectedAt: isoTime(proxy.connectedAt),
    disconnectedAt: isoTime(proxy.disconnectedAt),
    streams: proxy.streams,
    state: proxy.state,
    types: proxy.types.map(({ lastNack, lastSentAt, lastAckAt, ...counts }) => ({
      ...counts,
      lastSentAt: isoTime(lastSentAt),
      sentAgeSeconds: age(lastSentAt),
      lastAckAt: isoTime(lastAckAt),
      ackAgeSeconds: age(lastAckAt),
      lastNack: lastNack === undefined ? null : { ...lastNack, at: new Date(lastNack.at).toISOString() },
    })),
  }
}

/** One resource at one Envoy. */
export function proxyResourceBodyOf(resource: ProxyResourceStatus): ProxyResourceBody {
  return {
    name: resource.name,
    state: resource.state,
    sentVersion: resource.sentVersion ?? null,
    ackedVersion: resource.ackedVersion ?? null,
    currentVersion: resource.currentVersion ?? null,
  }
}
