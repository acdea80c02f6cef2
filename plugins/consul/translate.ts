import { checkHealth, type InstanceCheck, type JudgedChecks } from '../../src/model/check-health.ts'
import { type Endpoint, makeEndpoint } from '../../src/model/endpoint.ts'
import { errorText } from '../../src/model/errors.ts'
import type { Mesh } from '../../src/model/mesh.ts'
import type { Reason } from '../../src/model/reason.ts'
import type { HealthEntry } from './entry.ts'
import { selectAddress } from './select-address.ts'
import type { ConsulSettings } from './settings.ts'
import { weigh } from './weight.ts'

/** The endpoints of each instance, by `node/service id`, and what was left out. */
export interface Translation {
  readonly instances: ReadonlyMap<string, readonly Endpoint[]>
  /** Sentences about instances that cannot be used, each naming its instance. */
  readonly refusals: readonly string[]
  /** Instances in the answer, those that are left out included. */
  readonly total: number
}

export interface TranslateGiven {
  readonly settings: ConsulSettings
  /** Canonical form of an IP address; throws why it may not be used. */
  readonly admitAddress: (address: string) => string
  /** How an instance of a service is reached that takes nothing but the mesh's TLS. */
  readonly meshOf: (datacenter: string, service: string) => Mesh
  /** Why a service in the mesh closes the gateway's connections; undefined: it does not. */
  readonly deniedBy: (service: string) => Reason | undefined
}

/** Consul's kinds that are no services to call: sidecars and gateways. */
const meshKinds = new Set(['connect-proxy', 'mesh-gateway', 'terminating-gateway', 'ingress-gateway', 'api-gateway'])
/** Tags and metadata beyond this, and longer values, are left off: they come from anybody who may register a service. */
const maxTags = 64
const maxMeta = 64
const maxLength = 512

/** Turns an answer of the health endpoint into endpoints (reference/discovery.md 2.4 to 2.7). A bad instance costs only itself. Pure. */
export function translate(entries: readonly HealthEntry[], all: TranslateGiven): Translation {
  const { settings } = all
  const instances = new Map<string, readonly Endpoint[]>()
  const refusals: string[] = []
  const services = new Map(entries.filter(one => one.viaConnect !== true).map(entry => [idOf(entry), entry]))
  const fronted = new Set(entries.filter(isSidecar).map(destinationOf))
  for (const given of entries) {
    const id = idOf(given)
    const sidecar = isSidecar(given)
    // What has a sidecar is reached through it alone.
    if (!sidecar && fronted.has(id)) continue
    try {
      const entry = sidecar ? inFront(given, services.get(destinationOf(given))) : given
      if (!isIgnored(entry, settings)) instances.set(id, endpointsOf(entry, id, all))
    } catch (error) {
      refusals.push(`${id}: ${errorText(error)}`)
    }
  }
  return { instances, refusals, total: entries.length }
}

/** Sidecars and gateways are no services to call, and copies of pods would count twice (reference/discovery.md 1.3). */
function isIgnored(entry: HealthEntry, settings: ConsulSettings): boolean {
  const { Service: service } = entry
  if (settings.mesh !== true && !isSidecar(entry) && service.Kind !== undefined && meshKinds.has(service.Kind)) return true
  const meta = service.Meta ?? {}
  const namespace = meta['external-k8s-ns']
  if (meta['external-source'] !== 'kubernetes' || namespace === undefined) return false
  const { ignoreKubernetesSynced: ignored = false } = settings
  return typeof ignored === 'boolean' ? ignored : ignored.includes(namespace)
}

function idOf({ Node: node, Service: service }: HealthEntry): string {
  return `${node.Node}/${service.ID}`
}

function isSidecar({ viaConnect, Service: service }: HealthEntry): boolean {
  return viaConnect === true && service.Kind === 'connect-proxy'
}

/** The instance that a sidecar stands in front of; it is on the same node. */
function destinationOf({ Node: node, Service: service }: HealthEntry): string {
  return `${node.Node}/${service.Proxy?.DestinationServiceID ?? ''}`
}

/** A sidecar with what its instance says of itself: weight, tags and metadata are the instance's (consul#9334), checks those of both. */
function inFront(sidecar: HealthEntry, instance: HealthEntry | undefined): HealthEntry {
  if (instance === undefined) return sidecar
  const { Weights: weights, Tags, Meta, Locality } = instance.Service
  const service = { ...sidecar.Service, Tags: Tags ?? null, Meta: Meta ?? null, Locality: Locality ?? null }
  const checks = [...instance.Checks, ...sidecar.Checks.filter(({ ServiceID }) => ServiceID !== '')]
  return { ...sidecar, Service: weights === undefined ? service : { ...service, Weights: weights }, Checks: checks }
}

/**
 * The service in the mesh that an instance is of: instances that speak the mesh's TLS themselves, and sidecars, take nothing else. Where
 * sidecars are services of their own (`mesh: true`) and the gateway does not speak to the mesh, a TLSContext is what speaks to them.
 */
function inMesh(entry: HealthEntry, settings: ConsulSettings): string | undefined {
  const { Service: service } = entry
  if (isSidecar(entry) || (service.Kind === 'connect-proxy' && (settings.connect ?? false) !== false))
    return service.Proxy?.DestinationServiceName ?? service.Service
  return service.Connect?.Native === true ? service.Service : undefined
}

function endpointsOf(entry: HealthEntry, id: string, given: TranslateGiven): readonly Endpoint[] {
  const { settings, admitAddress: admit } = given
  const { Service: service } = entry
  const meshed = inMesh(entry, settings)
  const mesh = meshed === undefined ? undefined : given.meshOf(entry.Node.Datacenter ?? '', meshed)
  const denied = meshed === undefined ? undefined : given.deniedBy(meshed)
  const selected = selectAddress(entry, settings.network ?? 'lan')
  const address = admit(selected.address)
  const verdict = checkHealth(entry.Checks, settings)
  const { weight, reasons } = weigh(service, verdict.warning, settings)
  const checks = judged(entry.Checks, settings)
  const locality = localityOf(entry)
  const common = {
    id,
    address,
    weight: Math.max(1, weight),
    // Consul's own rule: what weighs nothing gets nothing.
    health: weight === 0 && verdict.health !== 'draining' ? 'unhealthy' : verdict.health,
    presence: verdict.presence,
    ...(checks === undefined ? {} : { checks }),
    reasons: [...verdict.reasons, ...reasons, ...selected.reasons, ...(denied === undefined ? [] : [denied])],
    tags: (service.Tags ?? []).filter(isShort).slice(0, maxTags),
    meta: metaOf(service.Meta),
    ...(locality === undefined ? {} : { locality }),
    ...(mesh === undefined ? {} : { mesh }),
  } as const
  const named = service.Ports ?? []
  if (named.length === 0) return [makeEndpoint({ ...common, port: portOf(selected.port) })]
  return named.map(({ Port, Name }) => makeEndpoint({ ...common, port: portOf(Port), portName: Name }))
}

/** What a ServicePool may judge otherwise: nothing where all is well, which keeps the table small. Maintenance is for nobody to judge. */
function judged(checks: readonly InstanceCheck[], settings: ConsulSettings): JudgedChecks | undefined {
  if (checks.every(check => check.Status === 'passing') || checks.some(isMaintenance)) return undefined
  const list = checks.map(({ CheckID, Name, Status, ServiceID }) => ({
    CheckID,
    ...(Name === undefined ? {} : { Name }),
    Status,
    ServiceID,
  }))
  return { list, policy: settings }
}

function isMaintenance({ CheckID }: InstanceCheck): boolean {
  return CheckID.startsWith('_service_maintenance:') || CheckID === '_node_maintenance'
}

function portOf(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port
  throw new Error(`port ${String(port)} is no port: give the service one from 1 to 65535`)
}

const none: Endpoint['meta'] = Object.freeze({})

function metaOf(meta: HealthEntry['Service']['Meta']): Endpoint['meta'] {
  const all = Object.entries(meta ?? {})
  if (all.length === 0) return none
  return Object.fromEntries(all.filter(([key, value]) => isShort(key) && isShort(value)).slice(0, maxMeta))
}

function isShort(text: unknown): text is string {
  return typeof text === 'string' && text.length <= maxLength
}

/** The instance's or its node's own, or metadata `zone`; the datacenter is the region where none is named. */
function localityOf({ Node: node, Service: service }: HealthEntry): Endpoint['locality'] | undefined {
  const own = service.Locality ?? node.Locality
  const zone = own?.Zone || service.Meta?.['zone'] || node.Meta?.['zone'] || ''
  if (zone === '') return undefined
  return Object.freeze({ region: own?.Region || node.Datacenter || '', zone, subzone: '' })
}
