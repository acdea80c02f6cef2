import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import { errorText } from '../../src/model/errors.ts'
import { checkHealth, type Verdict } from './check-health.ts'
import type { HealthEntry } from './entry.ts'
import type { ConsulSettings } from './settings.ts'

/** The endpoints of each instance, by `node/service id`, and what was left out. */
export interface Translation {
  readonly instances: ReadonlyMap<string, readonly Endpoint[]>
  /** Sentences about instances that cannot be used, each naming its instance. */
  readonly refusals: readonly string[]
}

export interface TranslateGiven {
  readonly settings: ConsulSettings
  /** Canonical form of an IP address; throws why it may not be used. */
  readonly admitAddress: (address: string) => string
}

const meshKinds = new Set(['connect-proxy', 'mesh-gateway', 'terminating-gateway', 'ingress-gateway', 'api-gateway'])
/** Tags and metadata beyond this are left off: they come from anybody who may register a service. */
const maxTags = 64
const maxMeta = 64

/** Turns an answer of the health endpoint into endpoints (reference/discovery.md 2.4 to 2.7). A bad instance costs only itself. Pure. */
export function translate(entries: readonly HealthEntry[], { settings, admitAddress }: TranslateGiven): Translation {
  const instances = new Map<string, readonly Endpoint[]>()
  const refusals: string[] = []
  for (const entry of entries) {
    const id = `${entry.Node.Node}/${entry.Service.ID}`
    if (isIgnored(entry, settings)) continue
    try {
      const { address, port } = selectAddress(entry, settings.network ?? 'lan')
      const canonical = admitAddress(address)
      instances.set(id, endpointsOf(entry, id, canonical, port, settings))
    } catch (error) {
      refusals.push(`${id}: ${errorText(error)}`)
    }
  }
  return { instances, refusals }
}

/** Sidecars and gateways are no services to call, and copies of pods would count twice (reference/discovery.md 1.3). */
function isIgnored({ Service: service }: HealthEntry, settings: ConsulSettings): boolean {
  if (settings.mesh !== true && service.Kind !== undefined && meshKinds.has(service.Kind)) return true
  const meta = service.Meta ?? {}
  return settings.ignoreKubernetesSynced === true && meta['external-source'] === 'kubernetes' && meta['external-k8s-ns'] !== undefined
}

/** Address and port from the same entry: the service's for this network, its plain one, the node's for this network, its plain one. */
function selectAddress({ Node: node, Service: service }: HealthEntry, network: 'lan' | 'wan'): { address: string; port: number } {
  for (const key of [`${network}_ipv4`, `${network}_ipv6`, network]) {
    const tagged = service.TaggedAddresses?.[key]
    // Consul copies the plain address into the tagged ones; an entry that is empty says nothing.
    if (tagged !== undefined && tagged.Address !== '') return { address: tagged.Address, port: tagged.Port || service.Port }
  }
  if (service.Address !== '') return { address: service.Address, port: service.Port }
  for (const key of [`${network}_ipv4`, `${network}_ipv6`, network]) {
    const tagged = node.TaggedAddresses?.[key]
    if (tagged !== undefined && tagged !== '') return { address: tagged, port: service.Port }
  }
  return { address: node.Address, port: service.Port }
}

function endpointsOf(entry: HealthEntry, id: string, address: string, port: number, settings: ConsulSettings): readonly Endpoint[] {
  const { Node: node, Service: service } = entry
  const verdict = checkHealth(entry.Checks, settings)
  const weight = weightOf(service, verdict, settings)
  const reasons = weight === 0 ? [...verdict.reasons, { code: 'weight-zero', text: 'its weight in Consul is 0' }] : verdict.reasons
  const meta = Object.fromEntries(Object.entries(service.Meta ?? {}).slice(0, maxMeta))
  const zone = service.Meta?.['zone'] ?? node.Meta?.['zone'] ?? ''
  const named = service.Ports ?? []
  const ports = named.length > 0 ? named.map(one => ({ number: one.Port, name: one.Name })) : [{ number: port, name: '' }]
  return ports.map(({ number, name }) => {
    if (!Number.isInteger(number) || number < 1 || number > 65_535)
      throw new Error(`port ${String(number)} is no port: give the service one from 1 to 65535`)
    return makeEndpoint({
      id,
      address,
      port: number,
      portName: name,
      weight: Math.max(1, weight),
      health: weight === 0 && verdict.health !== 'draining' ? 'unhealthy' : verdict.health,
      presence: verdict.presence,
      reasons,
      tags: (service.Tags ?? []).slice(0, maxTags),
      meta,
      ...(zone === '' ? {} : { locality: Object.freeze({ region: settings.datacenter ?? '', zone, subzone: '' }) }),
    })
  })
}

/**
 * The weight on the fixed scale where 100 is an ordinary instance (reference/discovery.md 2.5): Consul's own unless it is the 1/1 that
 * Consul fills in, then metadata `weight`, then a tag `weight:N`. 0 means: keep the instance, send it nothing.
 */
function weightOf(service: HealthEntry['Service'], { warning }: Verdict, settings: ConsulSettings): number {
  const weights = service.Weights
  const set = weights !== undefined && (weights.Passing !== 1 || weights.Warning !== 1)
  const tag = service.Tags?.find(one => /^weight:\d+$/.test(one))?.slice('weight:'.length)
  const meta = service.Meta?.['weight']
  const written = set ? (warning ? weights.Warning : weights.Passing) : Number(meta ?? tag ?? settings.weightReference ?? 1)
  if (!Number.isFinite(written) || written < 0) throw new Error(`weight "${String(meta ?? tag)}" is no number of at least 0`)
  if (written === 0) return 0
  return Math.max(1, Math.round((100 * written * (settings.weightMultiplier ?? 1)) / (settings.weightReference ?? 1)))
}
