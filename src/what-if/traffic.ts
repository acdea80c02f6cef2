import type { Steps } from '../model/steps.ts'
import type { AssignmentSpec } from '../ir/assignment.ts'
import { assignmentSpecs } from '../ir/assignment-specs.ts'
import type { IrPool } from '../ir/pool.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { PoolEndpoint, PoolView } from '../table/reader.ts'
import { priorityOf } from '../table/reader.ts'
import { assignmentOf } from '../xds/generate/assignment.ts'
import { selectEndpoints } from '../xds/generate/select-endpoints.ts'
import type { Place } from '../xds/resource.ts'
import { plain } from './differing-fields.ts'
import type { World } from './world.ts'
import { expectedLoad, type LoadHost, type LoadLocality } from './expected-load.ts'

/** What an assignment gives, and where the requests to it go. Percent with two decimals. */
export interface Load {
  /** Endpoints that Envoy is told of. */
  readonly endpoints: number
  /** Those of them that requests go to. */
  readonly used: number
  /** By the source that decides. */
  readonly bySource: ReadonlyMap<string, number>
  /** By the member of the ServicePool; empty where it has none. */
  readonly byMember: ReadonlyMap<string, number>
  /** By zone, where Envoys of a place are asked about; `-` is that of endpoints without one. */
  readonly byZone: ReadonlyMap<string, number>
  /** By priority, where there are several. */
  readonly byPriority: ReadonlyMap<string, number>
}

/** Endpoints that clusters share, and how Envoy is to choose among them. */
interface Assigned {
  readonly spec: AssignmentSpec
  readonly options: IrPool | undefined
}

/** Where requests go on both sides; undefined: it was, or is, not there. */
export interface TrafficChange {
  /** Of the assignment: it stays while clusters made of it change their names. */
  readonly name: string
  readonly service: ServiceKey
  readonly before: Load | undefined
  readonly after: Load | undefined
}

/** Assignments that are compared in one go. */
const atOnce = 20

export interface TrafficOptions {
  /** A pool without what drains away. */
  readonly lasting: (pool: PoolView | undefined) => PoolView | undefined
  /** Where the Envoys are that ask; undefined: they do not say. */
  readonly place: Place | undefined
}

/** Every assignment whose endpoints, or shares of requests, differ. */
export function* trafficChanges(before: World, after: World, { lasting, place }: TrafficOptions): Steps<readonly TrafficChange[]> {
  const [old, now] = [assignedIn(before), assignedIn(after)]
  const changes: TrafficChange[] = []
  let compared = 0
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    if (++compared % atOnce === 0) yield
    const [was, is] = [old.get(name), now.get(name)]
    const [poolBefore, poolAfter] = [was && before.pools.get(was.spec.service), is && after.pools.get(is.spec.service)]
    if (poolBefore === poolAfter && plain(was) === plain(is)) continue
    const sides = { before: was && loadOf(was, lasting(poolBefore), place), after: is && loadOf(is, lasting(poolAfter), place) }
    const service = (is ?? was)?.spec.service
    if (service !== undefined && plain(sides.before) !== plain(sides.after)) changes.push({ name, service, ...sides })
  }
  return changes
}

/** Those of clusters, and those that only gRPC clients asked for. */
function assignedIn({ routes, dynamic }: World): ReadonlyMap<string, Assigned> {
  const found = new Map<string, Assigned>(dynamic.map(spec => [spec.name, { spec, options: undefined }]))
  const options = new Map(routes.clusters.map(one => (one.kind === 'eds' ? [one.assignment.name, one.pool] : ['', undefined])))
  for (const [name, spec] of assignmentSpecs(routes.clusters)) found.set(name, { spec, options: options.get(name) })
  return found
}

/** Envoy's own, where an assignment says nothing. */
const usualOverprovisioning = 140

/** Takes what the assignment would say, so that nothing about endpoints is decided a second time here. `pool`: without what drains away. */
function loadOf({ spec, options }: Assigned, pool: PoolView | undefined, place: Place | undefined): Load {
  const { localities, overprovisioning = usualOverprovisioning } = assignmentOf(spec, pool, place)
  const priorities: LoadLocality[][] = []
  let endpoints = 0
  for (const { priority, weight, endpoints: told } of localities) {
    endpoints += told.length
    const hosts = told.map((one): LoadHost => ({ key: keyOf(one), state: stateOf[one.status] ?? 'healthy', weight: one.weight }))
    ;(priorities[priority] ??= []).push({ weight, hosts })
  }
  const load = expectedLoad({
    ...{ priorities, overprovisioning },
    panicThreshold: options?.panicThreshold ?? 0,
    localityWeighted: options?.localityWeighted ?? false,
  })
  return { endpoints, ...grouped(spec, pool, load, { hasPriorities: priorities.length > 1, hasZones: place !== undefined }) }
}

/** By the number of Envoy's HealthStatus: UNHEALTHY, DRAINING, TIMEOUT, DEGRADED; the others count as healthy. */
const stateOf: Readonly<Record<number, LoadHost['state']>> = { 2: 'unhealthy', 3: 'excluded', 4: 'unhealthy', 5: 'degraded' }

function grouped(
  spec: AssignmentSpec,
  pool: PoolView | undefined,
  load: ReadonlyMap<string, number>,
  { hasPriorities, hasZones }: { readonly hasPriorities: boolean; readonly hasZones: boolean },
): Omit<Load, 'endpoints'> {
  const bySource = new Map<string, number>()
  const byMember = new Map<string, number>()
  const byZone = new Map<string, number>()
  const byPriority = new Map<string, number>()
  let used = 0
  const add = (into: Map<string, number>, name: string, share: number) => into.set(name, (into.get(name) ?? 0) + share)
  for (const endpoint of selectEndpoints(pool, spec)) {
    const share = load.get(keyOf(endpoint)) ?? 0
    if (share > 0) used++
    add(bySource, endpoint.winner.source, share)
    if (endpoint.member !== undefined) add(byMember, endpoint.member.name, share)
    if (hasZones) add(byZone, endpoint.winner.endpoint.locality.zone || '-', share)
    if (hasPriorities && pool !== undefined) add(byPriority, String(priorityOf(pool, endpoint)), share)
  }
  return { used, bySource: percents(bySource), byMember: percents(byMember), byZone: percents(byZone), byPriority: percents(byPriority) }
}

function percents(shares: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...shares].map(([name, share]) => [name, Math.round(share * 10_000) / 100]))
}

function keyOf({ address, port }: Pick<PoolEndpoint, 'address' | 'port'>): string {
  return `${address} ${port}`
}
