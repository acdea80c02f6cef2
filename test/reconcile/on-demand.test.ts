import t from 'tap'
import type { GrpcNames, IrGrpcTarget } from '../../src/ir/grpc-names.ts'
import type { IrCluster } from '../../src/ir/route-table.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import { type ServiceKey, serviceKey } from '../../src/model/service-key.ts'
import { OnDemand } from '../../src/reconcile/on-demand.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import type { CachePatch } from '../../src/xds/cache.ts'
import type { ResourceKey } from '../../src/xds/resource.ts'

const web = serviceKey('shop', 'web')
const api = serviceKey('shop', 'api')

function cluster(service: ServiceKey): IrCluster {
  const assignment = { name: service, service, port: { kind: 'default', tls: false }, members: { kind: 'all' } } as const
  return { kind: 'eds', name: service, statName: 'x', loadBalancing: 'round_robin', connectTimeoutMs: 1, origins: [], assignment }
}

function target(name: string, service: ServiceKey): IrGrpcTarget {
  const match = { path: { kind: 'prefix', value: '/', caseSensitive: true }, headers: [], query: [] } as const
  const routes = [{ match, action: { kind: 'forward', cluster: service, timeoutMs: 0 }, origins: [] } as const]
  return { name, routes, clusters: [cluster(service)] }
}

/** Names → the service that they lead to; the clusters of those services exist. */
function names(known: Readonly<Record<string, ServiceKey>>): GrpcNames {
  return {
    target: name => (known[name] === undefined ? undefined : target(name, known[name])),
    cluster: name => Object.values(known).flatMap(key => (key === name ? [cluster(key)] : []))[0],
  }
}

function setUp() {
  const patches: CachePatch[] = []
  const table = new EndpointTable(() => undefined)
  const onDemand = new OnDemand({ table, cache: { patch: patch => void patches.push(patch) } })
  table.onChange(change => onDemand.onTableChange(change))
  const put = (service: ServiceKey, address: string) => {
    table.apply({ name: 'vms', type: 'vm' }, [{ id: service, service, endpoints: [makeEndpoint({ address, port: 80, id: address })] }], 7)
    table.settle()
  }
  /** What was published since the last time: `+type name`, `-type name`. */
  const published = () =>
    patches.splice(0).flatMap(({ upsert, remove }) => [...upsert.map(one => `+${text(one)}`), ...remove.map(one => `-${text(one)}`)])
  return { onDemand, put, published }
}

const text = ({ type, name }: ResourceKey) => `${type} ${name}`
const listener = (name: string): ResourceKey => ({ type: 'listener', name })
const all = (name: string, service: ServiceKey) => [
  `cluster grpc|${service}`,
  `route grpc|${name}`,
  `listener ${name}`,
  `endpoint grpc|${service}`,
]
const signed = (sign: string, lines: readonly string[]) => lines.map(line => sign + line).sort()

t.test('what a name consists of exists while it is asked for', async t => {
  const { onDemand, published } = setUp()
  onDemand.follow(names({ a: web }))
  t.same(published(), [], 'nobody asked yet')
  onDemand.asked(listener('a'))
  t.same(published().sort(), signed('+', all('a', web)))
  t.same(
    onDemand.assignments.map(one => one.name),
    ['grpc|shop/web'],
  )
  onDemand.unasked(listener('a'))
  t.same(published().sort(), signed('-', all('a', web)))
  t.same(onDemand.assignments, [])
  onDemand.unasked(listener('a'))
  t.same(published(), [])
})

t.test('a cluster that two names share stays for as long as one of them is asked for', async t => {
  const { onDemand, published } = setUp()
  onDemand.follow(names({ a: web, b: web }))
  onDemand.asked(listener('a'))
  onDemand.asked(listener('b'))
  published()
  onDemand.unasked(listener('a'))
  t.same(published().sort(), ['-listener a', '-route grpc|a'])
  onDemand.unasked(listener('b'))
  t.same(published().sort(), signed('-', all('b', web)))
})

t.test('a name becomes known, leads elsewhere, and is gone again', async t => {
  const { onDemand, published } = setUp()
  onDemand.asked(listener('a'))
  t.same(published(), [], 'unknown: silence')
  onDemand.follow(names({ a: web }))
  t.same(published().sort(), signed('+', all('a', web)))
  onDemand.follow(names({ a: api }))
  t.same(published().sort(), [...signed('+', all('a', api)), '-cluster grpc|shop/web', '-endpoint grpc|shop/web'])
  onDemand.follow(names({}))
  t.same(published().sort(), signed('-', all('a', api)))
})

t.test('G3 a cluster that a client names outlives the routes to it, and may be asked for first', async t => {
  const { onDemand, published, put } = setUp()
  const named: ResourceKey = { type: 'cluster', name: 'grpc|shop/web' }
  onDemand.follow(names({ a: web }))
  onDemand.asked(named)
  t.same(published().sort(), ['+cluster grpc|shop/web', '+endpoint grpc|shop/web'])
  onDemand.asked(listener('a'))
  published()
  onDemand.follow(names({ a: api }))
  t.notMatch(published().join(), /-cluster/)
  put(web, '10.0.0.1')
  t.same(published(), ['+endpoint grpc|shop/web'], 'and its endpoints are kept up to date')
  onDemand.unasked(named)
  t.same(published().sort(), ['-cluster grpc|shop/web', '-endpoint grpc|shop/web'])
})

t.test('other names and types are none of its business', async t => {
  const { onDemand, published, put } = setUp()
  onDemand.follow(names({ a: web }))
  for (const key of [
    { type: 'cluster', name: 'shop/web' },
    { type: 'endpoint', name: 'grpc|shop/web' },
    { type: 'route', name: 'a' },
    { type: 'listener', name: 'listener-80' },
  ] as const) {
    onDemand.asked(key)
    onDemand.unasked(key)
  }
  put(web, '10.0.0.1')
  t.same(published(), [])
})
