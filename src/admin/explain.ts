import ipaddr from 'ipaddr.js'
import type { PortSelector } from '../ir/assignment.ts'
import { nearest } from '../model/nearest.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { SourceStatus } from '../discovery/status.ts'
import { type Evidence, isAt, type PoolEndpoint, type PoolView } from '../table/reader.ts'
import { addressText, isServed, rounded } from './bodies/endpoint.ts'
import { clustersByService, type ServiceCluster } from './bodies/service.ts'
import { deliverySteps, nearSteps, outsideSteps, placeSteps, ruleSteps } from './explain-pool.ts'
import { invalid } from './problem.ts'
import type { AdminReaders } from './readers.ts'
import type { Explanation } from './schemas.ts'

type Step = Explanation['steps'][number]

/** At most so many other services that hold the same address are named. */
const maxElsewhere = 5

/**
 * Reads IP:PORT into the table's canonical form.
 * @throws IsthmusError `request-invalid`
 */
export function parseAddress(text: string, where = 'query parameter'): { readonly address: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^[\]]+)):(\d{1,5})$/.exec(text)
  const ip = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3])
  if (!ipaddr.isValid(ip) || !(port >= 1 && port <= 65_535))
    throw invalid(`${where} "address" must be IP:PORT such as 10.0.0.1:8080 or [2001:db8::1]:8080, not "${text}"`)
  return { address: ipaddr.process(ip).toString(), port }
}

/**
 * Why an address is, or is not, an endpoint of a service that gets requests: what every source says, what the merge made of it (its own
 * reasons, not a second opinion), which clusters take it, and how far each Envoy is.
 */
export function explain(service: ServiceKey, at: { readonly address: string; readonly port: number }, readers: AdminReaders): Explanation {
  const pool = readers.table.pool(service)
  const statuses = readers.sources.statuses()
  const found = (pool?.endpoints ?? []).filter(one => isAt(one, at))
  // TCP and UDP may share the port; Envoy's clusters are TCP.
  const endpoint = found.find(one => one.protocol === 'tcp') ?? found[0]
  const clusters = clustersByService(readers).get(service) ?? []
  const steps: Step[] = []
  const done = (verdict: Explanation['verdict'], text: string): Explanation => {
    const arrived = delivery(clusters, readers)
    return { service, ...at, verdict, text, steps: [...steps, ...deliverySteps(arrived)], delivery: arrived }
  }
  const here = `${addressText(at)} of ${service}`

  if (pool === undefined) {
    steps.push(unknownService(service, readers), ...statuses.flatMap(status => sourceSteps(status)))
    steps.push(...elsewhere(service, at, readers))
    return done('absent', `${here} is absent: no source knows the service`)
  }
  steps.push({
    code: 'service-known',
    text:
      pool.sources.length === 0
        ? `the service was known before, but no source has it now`
        : `the service is known to ${pool.sources.join(', ')}; it has ${pool.endpoints.length} endpoint${pool.endpoints.length === 1 ? '' : 's'}`,
    data: { sources: pool.sources, endpoints: pool.endpoints.length, mode: pool.mode },
  })
  steps.push(...ruleSteps(pool))
  if (endpoint === undefined) {
    const outside = outsideSteps(pool, at, readers)
    if (outside.length > 0) {
      steps.push(...outside)
      return done('absent', `${here} is absent: no member of the ServicePool takes it`)
    }
    steps.push(...absentSteps(pool, at, statuses), ...elsewhere(service, at, readers))
    return done('absent', `${here} is absent: no source names this address for the service`)
  }
  for (const evidence of endpoint.evidence) steps.push(...evidenceSteps(evidence, statuses))
  steps.push(...mergeSteps(endpoint), ...placeSteps(pool, endpoint), ...nearSteps(pool, endpoint))
  const takers = clusters.filter(cluster => {
    const taken = readers.select(pool, cluster.assignment).find(one => isAt(one, at))
    steps.push(clusterStep(cluster, endpoint, taken))
    return taken !== undefined
  })
  if (!isServed(endpoint)) return done('withheld', `${here} gets no requests: it is ${stateText(endpoint)}${whyText(endpoint)}`)
  if (takers.length > 0)
    return done('served', `${here} gets requests: it is ${stateText(endpoint)}, and ${count(takers.length, 'cluster')} use it`)
  if (clusters.length === 0) steps.push({ code: 'no-cluster', text: 'no route names this service, so no Envoy is told of it', data: {} })
  return done('unrouted', `${here} is ${stateText(endpoint)}, but no cluster takes it`)
}

function unknownService(service: ServiceKey, readers: AdminReaders): Step {
  const near = nearest(
    service,
    [...readers.table.pools()].map(pool => pool.service),
  )
  const hint = near.length === 0 ? '' : `; near names: ${near.join(', ')}`
  return { code: 'service-unknown', text: `no source has ever named the service ${service}${hint}`, data: { near } }
}

/** What is wrong with a source, if anything: a dead source is the usual reason why something is missing. */
function sourceSteps(status: SourceStatus): readonly Step[] {
  const data = { state: status.state, ageSeconds: rounded(status.ageSeconds), error: status.error ?? null }
  if (status.state === 'live' && status.error === undefined) return []
  const age = status.ageSeconds === undefined ? 'never read' : `last read ${Math.round(status.ageSeconds)} s ago`
  const error = status.error === undefined ? '' : `: ${status.error.text}`
  return [{ code: `source-${status.state}`, source: status.name, text: `${status.name} is ${status.state} (${age})${error}`, data }]
}

function evidenceSteps({ source, sourceType, group, endpoint }: Evidence, statuses: readonly SourceStatus[]): readonly Step[] {
  const port = endpoint.portName === '' ? '' : `, port "${endpoint.portName}"`
  const step: Step = {
    code: 'evidence',
    source,
    text: `${source} (${sourceType}) says ${stateText(endpoint)}, weight ${endpoint.weight}${port}: instance ${endpoint.id}`,
    data: {
      group,
      id: endpoint.id,
      health: endpoint.health,
      presence: endpoint.presence,
      weight: endpoint.weight,
      portName: endpoint.portName,
    },
  }
  const reasons = endpoint.reasons.map(({ code, text }) => ({ code, source, text, data: {} }))
  const status = statuses.find(one => one.name === source)
  return [step, ...reasons, ...(status === undefined ? [] : sourceSteps(status))]
}

/** What the merge added to the evidence. */
function mergeSteps(endpoint: PoolEndpoint): readonly Step[] {
  const known = new Set(endpoint.evidence.flatMap(one => one.endpoint.reasons))
  return [
    ...endpoint.reasons.filter(reason => !known.has(reason)).map(({ code, text }) => ({ code, text, data: {} })),
    {
      code: 'decided',
      source: endpoint.winner.source,
      text: `together: ${stateText(endpoint)}, weight ${endpoint.weight} (${endpoint.winner.source} decides)`,
      data: { health: endpoint.health, presence: endpoint.presence, weight: endpoint.weight, served: isServed(endpoint) },
    },
  ]
}

function clusterStep({ name, assignment, origins }: ServiceCluster, endpoint: PoolEndpoint, taken: PoolEndpoint | undefined): Step {
  const data = { cluster: name, assignment: assignment.name, port: assignment.port, members: assignment.members, origins }
  const from = origins.length === 0 ? '' : ` (${origins.join(', ')})`
  if (taken !== undefined) return { code: 'cluster-takes', text: `cluster ${name}${from} takes it as ${stateText(taken)}`, data }
  return { code: 'cluster-skips', text: `cluster ${name}${from} does not take it: ${whySkipped(assignment, endpoint)}`, data }
}

function whySkipped({ members, port, subset }: ServiceCluster['assignment'], endpoint: PoolEndpoint): string {
  if (endpoint.protocol === 'udp') return 'clusters are TCP, this port is UDP'
  if (endpoint.excluded === true) return `it is left out: ${endpoint.reasons.at(-1)?.text ?? ''}`
  if (members.kind === 'type' && !endpoint.evidence.some(one => one.sourceType === members.type))
    return `its resolver takes endpoints of ${members.type} sources only`
  if (members.kind === 'source' && !endpoint.evidence.some(one => one.source === members.source))
    return `its resolver takes endpoints of source ${members.source} only`
  if (subset !== undefined && isOutside(endpoint, subset)) return 'it takes a subset of the pool, whose tags or metadata this does not have'
  const { portName } = endpoint.winner.endpoint
  const has = portName === '' ? `port ${endpoint.port} without a name` : `port ${endpoint.port} "${portName}"`
  return `it wants ${portText(port)}, this is ${has} of an instance with several ports`
}

/** Whether no step of a subset can take it, whatever its port. */
function isOutside({ winner: { endpoint } }: PoolEndpoint, subset: NonNullable<ServiceCluster['assignment']['subset']>): boolean {
  return subset.every(
    step =>
      step !== 'any' &&
      Object.entries(step).some(
        ([key, value]) => endpoint.meta[key] !== value && !(key.startsWith('tag:') && endpoint.tags.includes(key.slice(4))),
      ),
  )
}

function portText(port: PortSelector): string {
  switch (port.kind) {
    case 'number':
      return `port ${port.number}`
    case 'name':
      return `the port named "${port.name}"`
    case 'default':
      return `port ${port.tls ? 443 : 80}`
  }
}

function absentSteps(pool: PoolView, at: { readonly address: string; readonly port: number }, statuses: readonly SourceStatus[]): Step[] {
  const steps: Step[] = []
  for (const status of statuses) {
    const own = pool.endpoints.filter(one => one.evidence.some(evidence => evidence.source === status.name))
    const text = own.length === 0 ? 'has no endpoint of the service' : `knows ${count(own.length, 'endpoint')} of the service, not this one`
    steps.push({
      code: 'source-lacks-address',
      source: status.name,
      text: `${status.name} (${status.type}) ${text}`,
      data: { endpoints: own.length },
    })
    for (const notice of status.notices.filter(one => one.includes(at.address)))
      steps.push({ code: 'source-notice', source: status.name, text: `${status.name} reports: ${notice}`, data: {} })
    steps.push(...sourceSteps(status))
  }
  const ports = pool.endpoints.filter(one => one.address === at.address).map(one => one.port)
  if (ports.length > 0) steps.push({ code: 'other-port', text: `${at.address} is known with port ${ports.join(', ')}`, data: { ports } })
  return steps
}

/** Other services that hold the address: the usual slip is a name or namespace. */
function elsewhere(service: ServiceKey, at: { readonly address: string; readonly port: number }, readers: AdminReaders): readonly Step[] {
  const services: ServiceKey[] = []
  for (const pool of readers.table.pools()) {
    if (pool.service === service || !pool.endpoints.some(one => isAt(one, at))) continue
    services.push(pool.service)
    if (services.length === maxElsewhere) break
  }
  if (services.length === 0) return []
  return [{ code: 'other-service', text: `${addressText(at)} is an endpoint of ${services.join(', ')}`, data: { services } }]
}

function delivery(clusters: readonly ServiceCluster[], readers: AdminReaders): Explanation['delivery'] {
  const names = new Map(clusters.map(cluster => [cluster.assignment.name, cluster.name]))
  if (names.size === 0) return []
  return readers.proxies.proxies().flatMap(proxy =>
    readers.proxies.resources(proxy.nodeId, 'endpoint').flatMap(resource => {
      const cluster = names.get(resource.name)
      if (cluster === undefined) return []
      return {
        nodeId: proxy.nodeId,
        proxyState: proxy.state,
        cluster,
        state: resource.state,
        sentVersion: resource.sentVersion ?? null,
        ackedVersion: resource.ackedVersion ?? null,
        currentVersion: resource.currentVersion ?? null,
      }
    }),
  )
}

function stateText({ health, presence, excluded }: Pick<PoolEndpoint, 'health' | 'presence' | 'excluded'>): string {
  const state = presence === 'live' ? health : `${health}, ${presence}`
  return excluded === true ? `${state}, and left out` : state
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** The reason to show beside the verdict: the one that was added last, by the source or by what stands above it. */
function whyText({ reasons }: PoolEndpoint): string {
  const last = reasons.findLast(reason => reason.code !== 'merged')
  return last === undefined ? '' : ` (${last.text})`
}
