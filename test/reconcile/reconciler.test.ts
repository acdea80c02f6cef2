import t from 'tap'
import type { AssignmentSpec } from '../../src/ir/assignment.ts'
import { emptyRouteTable, type IrCluster, type RouteTable } from '../../src/ir/route-table.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import { type ServiceKey, serviceKey } from '../../src/model/service-key.ts'
import { finish } from '../../src/model/steps.ts'
import { type Compiled, Reconciler } from '../../src/reconcile/reconciler.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { decodeMessage } from '../../src/xds/codec.ts'
import type { Resource, ResourceKey } from '../../src/xds/resource.ts'

const web = serviceKey('shop', 'web')
const api = serviceKey('shop', 'api')
const vms = { name: 'vms', type: 'vm' }

function spec(service: ServiceKey): AssignmentSpec {
  return { name: service, service, port: { kind: 'default', tls: false }, members: { kind: 'all' } }
}

function routeTable(...services: ServiceKey[]): RouteTable {
  const clusters = services.map(
    (service): IrCluster => ({
      name: service,
      statName: service,
      loadBalancing: 'round_robin',
      connectTimeoutMs: 3000,
      origins: [],
      kind: 'eds',
      assignment: spec(service),
    }),
  )
  return { ...emptyRouteTable, clusters }
}

function started(compiled: Partial<Compiled>) {
  const patches: { upsert: readonly Resource[]; remove: readonly ResourceKey[]; receivedAt: number | undefined }[] = []
  const now = { ...{ table: emptyRouteTable, lookups: { services: new Set<ServiceKey>(), namespaces: new Set<string>() } }, ...compiled }
  const table = new EndpointTable(() => undefined)
  const cache = {
    patch: (patch: { upsert: readonly Resource[]; remove: readonly ResourceKey[] }, receivedAt?: number) =>
      patches.push({ ...patch, receivedAt }),
  }
  const reconciler = new Reconciler({
    table,
    cache: { patch: (...args) => void cache.patch(...args) },
    *compile() {
      yield
      return now
    },
    now: () => 1,
  })
  const structural: boolean[] = []
  table.onChange(change => structural.push(reconciler.onTableChange(change)))
  const put = (service: ServiceKey, ...addresses: string[]) => {
    table.apply(vms, [{ id: service, service, endpoints: addresses.map(address => makeEndpoint({ address, port: 80, id: address })) }], 7)
    table.settle()
  }
  return { patches, reconciler, put, structural, set: (next: Partial<Compiled>) => Object.assign(now, next) }
}

/** All but Envoy's runtime, which every compilation gives. */
const keys = (resources: readonly ResourceKey[]) =>
  resources.flatMap(({ type, name }) => (type === 'runtime' ? [] : [`${type} ${name}`])).sort()

t.test('an endpoint change touches the assignments of its pool and nothing else, stamped with its arrival', async t => {
  const { patches, reconciler, put } = started({ table: routeTable(web, api) })
  finish(reconciler.flushStructure())
  put(web, '10.0.0.1')
  t.equal(patches.length, 2)
  t.same(keys(patches[1]?.upsert ?? []), ['endpoint shop/web'])
  t.equal(patches[1]?.receivedAt, 7)
  put(serviceKey('shop', 'unrouted'), '10.0.0.2')
  t.equal(patches.length, 2, 'a service that no route names pushes nothing')
})

t.test('a cluster has an assignment from the start, empty while its service is unknown (xds.md O5)', async t => {
  const { patches, reconciler } = started({ table: routeTable(web) })
  finish(reconciler.flushStructure())
  t.same(keys(patches[0]?.upsert ?? []), ['cluster shop/web', 'endpoint shop/web'])
  const assignment = patches[0]?.upsert.find(resource => resource.type === 'endpoint')
  t.same(decodeMessage('envoy.config.endpoint.v3.ClusterLoadAssignment', assignment?.bytes ?? Buffer.alloc(0)), { clusterName: 'shop/web' })
})

t.test('a cluster that is no longer named leaves with its assignment, in the same patch that brings its successor', async t => {
  const { patches, reconciler, set } = started({ table: routeTable(web) })
  finish(reconciler.flushStructure())
  set({ table: routeTable(api) })
  finish(reconciler.flushStructure())
  t.same(keys(patches[1]?.upsert ?? []), ['cluster shop/api', 'endpoint shop/api'])
  t.same(keys(patches[1]?.remove ?? []), ['cluster shop/web', 'endpoint shop/web'])
})

t.test('neither a cluster that stays the same nor an assignment whose rule does is published again', async t => {
  const { patches, reconciler } = started({ table: routeTable(web) })
  finish(reconciler.flushStructure())
  finish(reconciler.flushStructure())
  t.same(keys(patches[1]?.upsert ?? []), [])
})

t.test('a service or namespace that routes looked for in vain calls for a compilation once it appears', async t => {
  const lookups = { services: new Set([web]), namespaces: new Set(['pay']) }
  const { reconciler, put, structural } = started({ lookups })
  finish(reconciler.flushStructure())
  put(web, '10.0.0.1')
  put(web, '10.0.0.2')
  put(serviceKey('pay', 'cards'), '10.0.0.3')
  put(serviceKey('other', 'x'), '10.0.0.4')
  t.same(structural, [true, false, true, false])
})

t.test('an assignment is probed when each cluster that has it finds out by itself who does not answer', async t => {
  const assigned = (reconciler: Reconciler) => reconciler.assignments.get(web)?.map(({ probed }) => probed)
  const [plain] = routeTable(web).clusters
  if (plain === undefined) throw new Error('no cluster')
  const watched: IrCluster = { ...plain, name: 'watched', options: { outlierDetection: { consecutive_5xx: 3 } } }
  const checked: IrCluster = { ...plain, name: 'checked', options: { healthChecks: [] } }
  for (const [clusters, probed] of [
    [[plain], undefined],
    [[watched, checked], true],
    [[watched, plain], undefined],
    [[plain, watched], undefined],
  ] as const) {
    const { reconciler } = started({ table: { ...emptyRouteTable, clusters } })
    finish(reconciler.flushStructure())
    t.strictSame(assigned(reconciler), [probed])
  }
})

t.test('a service that becomes known while a flush that looked for it is under way calls for another', async t => {
  const { reconciler, put, set } = started({})
  set({ lookups: { services: new Set([web]), namespaces: new Set() } })
  const steps = reconciler.flushStructure()
  t.equal(steps.next().done, false, 'it has looked, and rests')
  put(web, '10.0.0.1')
  t.equal(finish(steps), true)
  t.equal(finish(reconciler.flushStructure()), false)
})
