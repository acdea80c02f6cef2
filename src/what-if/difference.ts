import type { Steps } from '../model/steps.ts'
import type { PlacedRoute } from '../ir/placed-routes.ts'
import type { IrCluster, IrListener } from '../ir/route-table.ts'
import type { ObjectStatus } from '../manifests/status.ts'
import { objectId } from '../manifests/checked-object.ts'
import type { ServiceKey } from '../model/service-key.ts'
import { changesBetween, seen, type SeenEndpoint } from '../table/ledger.ts'
import { type PoolEndpoint, type PoolView, priorityOf } from '../table/reader.ts'
import { differingFields, plain } from './differing-fields.ts'
import { type RouteChange, routeChanges } from './route-changes.ts'
import { type TrafficChange, trafficChanges } from './traffic.ts'
import type { Place } from '../xds/resource.ts'
import type { World } from './world.ts'

/** What differs between two worlds. Equal worlds give empty lists. */
export interface Difference {
  /** The first of them; `endpointCounts` is of all. */
  readonly endpoints: readonly EndpointChange[]
  readonly endpointCounts: Counts
  readonly traffic: readonly TrafficChange[]
  readonly clusters: readonly ClusterChange[]
  readonly routes: readonly RouteChange<PlacedRoute>[]
  readonly listeners: readonly ListenerChange[]
  readonly objects: readonly ObjectChange[]
  /** What should keep somebody from doing it. */
  readonly findings: readonly ChangeFinding[]
}

export interface Counts {
  readonly added: number
  readonly removed: number
  readonly changed: number
}

/** Of what there was on one side only, the other side is undefined. */
export interface EndpointChange {
  readonly service: ServiceKey
  readonly before: PlacedEndpoint | undefined
  readonly after: PlacedEndpoint | undefined
}

export interface PlacedEndpoint extends SeenEndpoint {
  readonly priority: number
  /** Of the ServicePool. */
  readonly member: string | undefined
}

export interface ClusterChange {
  readonly name: string
  readonly before: IrCluster | undefined
  readonly after: IrCluster | undefined
  /** Settings that differ. */
  readonly fields: readonly string[]
}

export interface ListenerChange {
  readonly name: string
  readonly before: IrListener | undefined
  readonly after: IrListener | undefined
  readonly fields: readonly string[]
}

export interface ObjectChange {
  readonly before: ObjectStatus | undefined
  readonly after: ObjectStatus | undefined
}

export interface ChangeFinding {
  readonly code: 'object-refused' | 'no-endpoints'
  /** `Mapping/shop/web`, or the name of an assignment. */
  readonly subject: string
  readonly text: string
}

/** Services, or clusters, that are compared in one go. */
const atOnce = 20

export interface DifferenceOptions {
  /** Endpoints that are told of at most. */
  readonly most: number
  /** Of the Envoys whose shares of requests are told. */
  readonly place?: Place
}

/** Compares; yields now and then. */
export function* difference(before: World, after: World, { most, place }: DifferenceOptions): Steps<Difference> {
  const { endpoints, endpointCounts } = yield* endpointChanges(before, after, most)
  const traffic = yield* trafficChanges(before, after, { lasting, place })
  const isSame = before.routes === after.routes
  const clusters = isSame ? [] : yield* namedChanges(before.routes.clusters, after.routes.clusters)
  const listeners = isSame ? [] : yield* namedChanges(before.routes.listeners, after.routes.listeners)
  const routes = isSame ? [] : routeChanges(before.routes, after.routes)
  yield
  const objects = before.objects === after.objects ? [] : objectChanges(before.objects, after.objects)
  return { endpoints, endpointCounts, traffic, clusters, routes, listeners, objects, findings: [...refusals(objects), ...emptied(traffic)] }
}

function* endpointChanges(before: World, after: World, most: number): Steps<Pick<Difference, 'endpoints' | 'endpointCounts'>> {
  const endpoints: EndpointChange[] = []
  const endpointCounts = { added: 0, removed: 0, changed: 0 }
  let compared = 0
  for (const service of new Set([...before.pools.keys(), ...after.pools.keys()])) {
    const [old, now] = [lasting(before.pools.get(service)), lasting(after.pools.get(service))]
    if (old === now) continue
    if (++compared % atOnce === 0) yield
    for (const change of changesBetween(old, now ?? { ...(old as PoolView), endpoints: [] })) {
      if (!isSeen(change, old, now)) continue
      endpointCounts[change.before === undefined ? 'added' : change.after === undefined ? 'removed' : 'changed']++
      if (endpoints.length < most) endpoints.push({ service, before: placed(old, change.before), after: placed(now, change.after) })
    }
  }
  return { endpoints, endpointCounts }
}

/** Whether somebody would see a difference. */
function isSeen(
  { before, after }: ReturnType<typeof changesBetween>[number],
  old: PoolView | undefined,
  now: PoolView | undefined,
): boolean {
  if (before === undefined || after === undefined || old === undefined || now === undefined) return true
  return (
    before.health !== after.health ||
    before.presence !== after.presence ||
    before.weight !== after.weight ||
    before.excluded !== after.excluded ||
    before.member?.name !== after.member?.name ||
    priorityOf(old, before) !== priorityOf(now, after) ||
    plain(seen(before)) !== plain(seen(after))
  )
}

/** Without what drains away: it is as good as gone. */
function lasting(pool: PoolView | undefined): PoolView | undefined {
  if (pool?.endpoints.some(one => one.goneAt !== undefined) !== true) return pool
  return Object.freeze({ ...pool, endpoints: Object.freeze(pool.endpoints.filter(one => one.goneAt === undefined)) })
}

function placed(pool: PoolView | undefined, endpoint: PoolEndpoint | undefined): PlacedEndpoint | undefined {
  if (pool === undefined || endpoint === undefined) return undefined
  return { ...seen(endpoint), priority: priorityOf(pool, endpoint), member: endpoint.member?.name }
}

/** What differs between things of the same name, beside where they were read. */
function* namedChanges<Item extends { readonly name: string }>(
  before: readonly Item[],
  after: readonly Item[],
): Steps<readonly { readonly name: string; before: Item | undefined; after: Item | undefined; fields: readonly string[] }[]> {
  const [old, now] = [new Map(before.map(one => [one.name, one])), new Map(after.map(one => [one.name, one]))]
  const changes = []
  let compared = 0
  for (const name of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    if (++compared % atOnce === 0) yield
    const [was, is] = [old.get(name), now.get(name)]
    const fields = was === undefined || is === undefined ? [] : differingFields(was, is)
    if (was === undefined || is === undefined || fields.length > 0) changes.push({ name, before: was, after: is, fields })
  }
  return changes
}

/** Objects that come, go, or that something else is said of. Where they stand does not count. */
function objectChanges(before: readonly ObjectStatus[], after: readonly ObjectStatus[]): readonly ObjectChange[] {
  const [old, now] = [Map.groupBy(before, idOf), Map.groupBy(after, idOf)]
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap(id => {
    const [was, is] = [old.get(id) ?? [], now.get(id) ?? []]
    return Array.from({ length: Math.max(was.length, is.length) }, (_, index) => ({ before: was[index], after: is[index] })).filter(
      change => verdictOf(change.before) !== verdictOf(change.after),
    )
  })
}

function idOf({ ref }: ObjectStatus): string {
  return objectId(ref)
}

function verdictOf(status: ObjectStatus | undefined): string {
  if (status === undefined) return ''
  const { state, problems, notices, unserved, lastGood } = status
  return plain([state, problems.map(({ path, text }) => [path, text]), notices, unserved, lastGood])
}

function refusals(objects: readonly ObjectChange[]): readonly ChangeFinding[] {
  return objects.flatMap(({ after }) => {
    if (after?.state !== 'refused') return []
    const text = after.problems.map(({ at, path, text: what }) => `${at}: ${path === '' ? '' : `${path}: `}${what}`).join('; ')
    return [
      { code: 'object-refused', subject: idOf(after), text: after.lastGood ? `${text}; its last good version goes on serving` : text },
    ]
  })
}

/** What requests go to, and what would have nobody to send them to. */
function emptied(traffic: readonly TrafficChange[]): readonly ChangeFinding[] {
  return traffic.flatMap(({ name, service, before, after }) => {
    if (after === undefined || after.used > 0 || before?.used === 0) return []
    const rest = after.endpoints === 0 ? 'no endpoint' : `${after.endpoints} endpoints and none that takes requests`
    return [{ code: 'no-endpoints', subject: name, text: `${service} would have ${rest}: requests to it would get 503` }]
  })
}
