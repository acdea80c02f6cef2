import type { Steps } from '../model/steps.ts'
import type { CompileResult } from '../compile/emissary/input.ts'
import { agedGroup } from '../discovery/aged-group.ts'
import { guardBounds } from '../discovery/guard-bounds.ts'
import { poolGuards } from '../discovery/pool-guards.ts'
import type { AssignmentSpec } from '../ir/assignment.ts'
import type { ManifestStore } from '../manifests/store.ts'
import { type Endpoint, makeEndpoint } from '../model/endpoint.ts'
import type { EndpointGroup } from '../model/endpoint-group.ts'
import type { Override } from '../model/override.ts'
import type { PoolGuards } from '../model/pool-rule.ts'
import type { ServiceKey } from '../model/service-key.ts'
import type { EndpointTable } from '../table/endpoint-table.ts'
import { addressKey } from '../table/finish-pool.ts'
import type { PoolView, TableReader } from '../table/reader.ts'
import type { Change, Fate } from './change.ts'
import type { World } from './world.ts'

/** What is, as far as a change may touch it. Nothing of it is changed. */
export interface Reality {
  readonly table: EndpointTable
  readonly store: ManifestStore
  /** What is served of the store. */
  readonly compiled: CompileResult
  /** As it is done for what is served. */
  readonly compile: (store: ManifestStore, table: TableReader) => Steps<CompileResult>
  readonly overrides: readonly Override[]
  readonly dynamic: readonly AssignmentSpec[]
}

/** Both worlds, and what the imagined one would need that nobody has read yet. */
export interface Imagined {
  readonly before: World
  /** After each step of the change; where a step changes nothing, the same as before it. */
  readonly after: readonly World[]
  readonly notes: readonly string[]
}

/** Services of which what a source tells is changed in one go. */
const atOnce = 10

/**
 * The world as it would be after a change, made by the code that makes the real one, on copies: the table merges, compile compiles. What would
 * drain for a while is taken to be gone. It yields now and then: the caller may do something else then, and whatever happens meanwhile in
 * reality does not count.
 */
export function* imagine(reality: Reality, change: Change): Steps<Imagined> {
  const { compiled, compile, dynamic } = reality
  const overrides = overridesAfter(reality.overrides, change)
  const before: World = { pools: poolsOf(reality.table), routes: compiled.table, dynamic, objects: reality.store.statuses() }
  const table = reality.table.fork(service => overrides.get(service))
  const hasObjects = change.objects.length + change.without.size > 0
  const store = hasObjects ? reality.store.edited(change.objects, change.without) : undefined
  yield
  table.overridesChanged(servicesOf(reality.overrides, change), 0)
  table.settle()
  let world: World = { ...before, pools: poolsOf(table) }
  let notes: readonly string[] = []
  let { pools } = compiled
  if (store !== undefined) {
    const result = yield* compile(store, table)
    store.settle(store.objects(), result)
    table.follow(result.pools, 0)
    table.settle()
    yield
    world = { pools: poolsOf(table), routes: result.table, dynamic, objects: store.statuses() }
    notes = needs(compiled, result)
    pools = result.pools
  }
  const guards = poolGuards(pools)
  const after: World[] = []
  for (const fates of change.steps) {
    for (const fate of fates) yield* suffer(table, fate, guards)
    if (fates.length > 0) world = { ...world, pools: poolsOf(table) }
    after.push(world)
  }
  return { before, after, notes }
}

/** Applies a source's fate service by service. `pools`: the bounds that ServicePools set. */
function* suffer(table: EndpointTable, fate: Fate, pools: ReadonlyMap<ServiceKey, PoolGuards>): Steps<void> {
  const { name } = fate.source
  if (fate.kind === 'stale') {
    yield* table.turnStale(name)
    return
  }
  const services = [...table.servicesOf(name)]
  for (let index = 0; index < services.length; index += atOnce) {
    yield
    const groups = services.slice(index, index + atOnce).flatMap(service => table.groupsIn(name, service))
    const after = groups.map(group => fated(group, fate, pools.get(group.service)))
    table.apply(fate.source, after, 0)
    table.settle()
  }
}

function fated(group: EndpointGroup, { kind, source, guards }: Fate, pool: PoolGuards | undefined): EndpointGroup {
  if (kind === 'lapse') return { ...group, endpoints: group.endpoints.map(lapsed) }
  const policy = kind === 'drop' ? kind : guardBounds(guards, pool).onStale
  return policy === 'keep' ? group : agedGroup(group, policy, source.name)
}

/** As an endpoint whose lease is expired (reference/discovery.md 4.1). */
function lapsed(endpoint: Endpoint): Endpoint {
  const reason = { code: 'lease-expired', text: 'its agent was silent for three times its lease time' }
  return makeEndpoint({ ...endpoint, health: 'unhealthy', presence: 'expired', reasons: [reason] })
}

function overridesAfter(now: readonly Override[], { overrides, unset }: Change): ReadonlyMap<ServiceKey, ReadonlyMap<string, Override>> {
  const replaced = new Set(overrides.map(one => one.id))
  const after = [...now.filter(one => !replaced.has(one.id) && !unset.has(one.id)), ...overrides]
  const services = Map.groupBy(after, one => one.service)
  return new Map([...services].map(([service, list]) => [service, new Map(list.map(one => [addressKey(one), one]))]))
}

/** Services with an override that comes or goes. */
function servicesOf(now: readonly Override[], { overrides, unset }: Change): readonly ServiceKey[] {
  const ids = new Set([...overrides.map(one => one.id), ...unset])
  return [...overrides, ...now.filter(one => ids.has(one.id))].map(one => one.service)
}

function poolsOf(table: TableReader): ReadonlyMap<ServiceKey, PoolView> {
  return new Map(Array.from(table.pools(), pool => [pool.service, pool]))
}

/** What the compiled objects name and nobody has read: the difference cannot know it. */
function needs(before: CompileResult, after: CompileResult): readonly string[] {
  const known = new Set(before.consulRequests.map(one => one.name))
  const consul = after.consulRequests
    .filter(one => !known.has(one.name))
    .map(one => `a Consul source for ${one.address} would be started: what it knows is not part of this`)
  const secrets = [...after.secrets.difference(before.secrets)].map(
    name => `Secret ${name} would be read, where Secrets are read by name: what it holds may not be known here yet`,
  )
  return [...consul, ...secrets]
}
