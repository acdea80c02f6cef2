import ipaddr from 'ipaddr.js'
import type { PortSelector } from '../ir/assignment.ts'
import { assignmentSpecs } from '../ir/assignment-specs.ts'
import type { Health } from '../model/health.ts'
import { nearest } from '../model/nearest.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { SourceStatus } from '../discovery/status.ts'
import { type Evidence, isAt, type PoolEndpoint, type PoolView } from '../table/reader.ts'
import type { Refusal } from '../xds/status.ts'
import { addressText, isServed } from './bodies/endpoint.ts'
import { clustersByService, type ServiceCluster } from './bodies/service.ts'
import { deliverySteps, nearSteps, outsideSteps, placeSteps, ruleSteps } from './explain-pool.ts'
import { guardSteps, leftOutOf, leftOutStep, reasonsSince, reasonText, type Since, sourceSteps } from './explain-sources.ts'
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
export async function explain(
  service: ServiceKey,
  at: { readonly address: string; readonly port: number },
  readers: AdminReaders,
): Promise<Explanation> {
  const since = await reasonsSince(readers, service, find(readers.table.pool(service), at))
  // The table may have changed meanwhile: what follows is of one moment.
  const pool = readers.table.pool(service)
  const statuses = readers.sources.statuses()
  const endpoint = find(pool, at)
  const clusters = clustersByService(readers).get(service) ?? []
  const steps: Step[] = []
  const done = (verdict: Explanation['verdict'], text: string): Explanation => {
    const arrived = delivery(clusters, readers)
    return { service, ...at, verdict, text, steps: [...steps, ...deliverySteps(arrived, refusalsOf(clusters, readers))], delivery: arrived }
  }
  const here = `${addressText(at)} of ${service}`
  const bases = [...new Set([service, ...readers.table.basesOf(service)])]
  const leftOut = leftOutOf(bases, at, readers)

  if (pool === undefined) {
    steps.push(unknownService(service, readers), ...statuses.flatMap(status => sourceSteps(status)))
    steps.push(...leftOut.map(leftOutStep), ...elsewhere(service, at, readers))
    return done('absent', `${here} is absent: ${leftOut[0]?.text ?? 'no source knows the service'}`)
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
    steps.push(...absentSteps(pool, at, statuses), ...leftOut.map(leftOutStep), ...elsewhere(service, at, readers))
    return done('absent', `${here} is absent: ${leftOut[0]?.text ?? 'no source knows this address of the service'}`)
  }
  for (const evidence of endpoint.evidence) steps.push(...evidenceSteps(evidence, statuses, since))
  if (since.problem !== undefined) steps.push({ code: 'ledger-unusable', text: `since when is not known: ${since.problem}`, data: {} })
  steps.push(
    ...guardSteps(endpoint, bases, readers),
    ...mergeSteps(endpoint, since),
    ...placeSteps(pool, endpoint),
    ...nearSteps(pool, endpoint),
  )
  const specs = assignmentSpecs(readers.routeTable().clusters)
  const takers = clusters.flatMap(cluster => {
    const taken = readers.select(pool, cluster.assignment).find(one => isAt(one, at))
    const told = taken === undefined ? undefined : readers.told(taken, specs.get(cluster.assignment.name)?.probed === true)
    steps.push(taken === undefined || told === undefined ? skippedStep(cluster, pool, endpoint) : takenStep(cluster, taken, told))
    return told === undefined ? [] : told
  })
  if (!isServed(endpoint)) return done('withheld', `${here} gets no requests: it is ${stateText(endpoint)}${whyText(endpoint, since)}`)
  if (takers.length > 0)
    return done(
      'served',
      `${here} gets requests: it is ${toldText(endpoint, takers)}${doubtText(endpoint, since)}, and ${count(takers.length, 'cluster')} use it`,
    )
  if (clusters.length === 0) steps.push({ code: 'no-cluster', text: 'no route names this service, so no Envoy is told of it', data: {} })
  return done('unrouted', `${here} is ${stateText(endpoint)}, but no cluster takes it`)
}

/** TCP and UDP may share the port; Envoy's clusters are TCP. */
function find(pool: PoolView | undefined, at: { readonly address: string; readonly port: number }): PoolEndpoint | undefined {
  const found = (pool?.endpoints ?? []).filter(one => isAt(one, at))
  return found.find(one => one.protocol === 'tcp') ?? found[0]
}

function unknownService(service: ServiceKey, readers: AdminReaders): Step {
  const near = nearest(
    service,
    [...readers.table.pools()].map(pool => pool.service),
  )
  const hint = near.length === 0 ? '' : `; near names: ${near.join(', ')}`
  return { code: 'service-unknown', text: `no source has ever named the service ${service}${hint}`, data: { near } }
}

function evidenceSteps(
  { source, sourceType, group, endpoint }: Evidence,
  statuses: readonly SourceStatus[],
  since: Since,
): readonly Step[] {
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
  const reasons = endpoint.reasons.map(reason => ({ code: reason.code, source, text: reasonText(reason, since), data: {} }))
  const status = statuses.find(one => one.name === source)
  return [step, ...reasons, ...(status === undefined ? [] : sourceSteps(status))]
}

/** What the merge added to the evidence. */
function mergeSteps(endpoint: PoolEndpoint, since: Since): readonly Step[] {
  const known = new Set(endpoint.evidence.flatMap(one => one.endpoint.reasons))
  return [
    ...endpoint.reasons
      .filter(reason => !known.has(reason))
      .map(reason => ({ code: reason.code, text: reason.code === 'merged' ? reason.text : reasonText(reason, since), data: {} })),
    {
      code: 'decided',
      source: endpoint.winner.source,
      text: `together: ${stateText(endpoint)}, weight ${endpoint.weight} (${endpoint.winner.source} decides)`,
      data: { health: endpoint.health, presence: endpoint.presence, weight: endpoint.weight, served: isServed(endpoint) },
    },
  ]
}

function clusterData({ name, assignment, origins }: ServiceCluster): Step['data'] {
  return { cluster: name, assignment: assignment.name, port: assignment.port, members: assignment.members, origins }
}

function clusterText({ name, origins }: ServiceCluster): string {
  return `cluster ${name}${origins.length === 0 ? '' : ` (${origins.join(', ')})`}`
}

function takenStep(cluster: ServiceCluster, taken: PoolEndpoint, told: Health): Step {
  const text = `${clusterText(cluster)} takes it as ${toldText(taken, [told])}`
  return { code: 'cluster-takes', text, data: { ...clusterData(cluster), told } }
}

/** As Envoy is told, which is not always what the sources say: what only we hold on to comes after those that are vouched for. */
function toldText(endpoint: PoolEndpoint, told: readonly Health[]): string {
  const [first = endpoint.health, ...others] = new Set(told)
  if (others.length > 0 || first === endpoint.health) return stateText(endpoint)
  return `${first}, as Envoy is told (${stateText(endpoint)})`
}

function skippedStep(cluster: ServiceCluster, pool: PoolView, endpoint: PoolEndpoint): Step {
  const { port } = cluster.assignment
  const names = new Set(pool.endpoints.flatMap(one => one.evidence.map(({ endpoint: { portName } }) => portName)))
  names.delete('')
  const isPlain = endpoint.protocol === 'tcp' && endpoint.excluded !== true
  if (isPlain && port.kind === 'name' && !names.has(port.name)) {
    const there = names.size === 0 ? 'none has a name' : `there are ${[...names].sort().join(', ')}`
    const text = `${clusterText(cluster)} does not take it: port name "${port.name}" has no match in ${pool.service}; ${there}`
    return { code: 'port-name-unmatched', text, data: clusterData(cluster) }
  }
  const text = `${clusterText(cluster)} does not take it: ${whySkipped(cluster.assignment, endpoint)}`
  return { code: 'cluster-skips', text, data: clusterData(cluster) }
}

function whySkipped({ members, port, subset, mesh }: ServiceCluster['assignment'], endpoint: PoolEndpoint): string {
  if (endpoint.protocol === 'udp') return 'clusters are TCP, this port is UDP'
  if (endpoint.excluded === true) return `it is left out: ${endpoint.reasons.at(-1)?.text ?? ''}`
  if (endpoint.mesh !== undefined && !('locked' in endpoint.mesh) && mesh?.includes(endpoint.mesh.identity) !== true)
    return 'it takes mutual TLS of the mesh only, for which the cluster has no certificate'
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

/** What Envoys refuse of the clusters that get the service. */
function refusalsOf(clusters: readonly ServiceCluster[], readers: AdminReaders): readonly Refusal[] {
  const names = new Set(clusters.flatMap(cluster => [`endpoint ${cluster.assignment.name}`, `cluster ${cluster.name}`]))
  return readers.proxies.refusals().filter(({ refused }) => names.has(`${refused.type} ${refused.name}`))
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
function whyText({ reasons }: PoolEndpoint, since: Since): string {
  const last = reasons.findLast(reason => reason.code !== 'merged')
  return last === undefined ? '' : ` (${reasonText(last, since)})`
}

/** The same of an endpoint that gets requests although its sources do not vouch for it. */
function doubtText(endpoint: PoolEndpoint, since: Since): string {
  return endpoint.presence === 'live' ? '' : whyText(endpoint, since)
}
