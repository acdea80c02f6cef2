import t from 'tap'
import type { IrForward } from '../../../src/ir/route-action.ts'
import type { IrCluster, IrRoute } from '../../../src/ir/route-table.ts'
import { serviceKey } from '../../../src/model/service-key.ts'
import { decodeMessage } from '../../../src/xds/codec.ts'
import { generateGrpcCluster, generateGrpcTarget, grpcClusterOf } from '../../../src/xds/generate/grpc.ts'
import { grpcRoute } from '../../../src/xds/generate/grpc-route.ts'
import type { Resource } from '../../../src/xds/resource.ts'
import { typeUrls } from '../../../src/xds/type-urls.ts'

const web = serviceKey('shop', 'web')
const base = { name: 'shop/web', statName: 'w', loadBalancing: 'round_robin', connectTimeoutMs: 1, origins: [] } as const
const pool: IrCluster = {
  ...base,
  kind: 'eds',
  assignment: { name: 'shop/web', service: web, port: { kind: 'default', tls: false }, members: { kind: 'all' } },
}

function route(match: Partial<IrRoute['match']>, action: Partial<IrForward> = {}, weight?: number): IrRoute {
  return {
    match: { path: { kind: 'prefix', value: '/', caseSensitive: true }, headers: [], query: [], ...match },
    action: { kind: 'forward', cluster: 'shop/web', timeoutMs: 0, ...action },
    origins: [{ kind: 'Mapping', namespace: 'shop', name: 'm', at: '' }],
    ...(weight === undefined ? {} : { weight }),
  }
}

function decode({ type, bytes }: Resource): unknown {
  return decodeMessage(typeUrls[type].slice(typeUrls[type].indexOf('/') + 1), bytes)
}

const routed = (one: IrRoute) => grpcRoute(one, name => name)[0]

t.test('G4 a target is an API listener, its routes by RDS over ADS, and EDS clusters, all on demand', async t => {
  const { resources, assignments } = generateGrpcTarget({ name: 'Web.shop', routes: [route({})], clusters: [pool] })
  t.same(
    resources.map(one => [one.type, one.name, one.onDemand, one.requires.map(({ type, name }) => `${type} ${name}`)]),
    [
      ['cluster', 'grpc|shop/web', true, ['endpoint grpc|shop/web']],
      ['route', 'grpc|Web.shop', true, ['cluster grpc|shop/web']],
      ['listener', 'Web.shop', true, ['route grpc|Web.shop']],
    ],
  )
  t.match(assignments, [{ name: 'grpc|shop/web', service: web }])
  const [cluster, routes, listener] = resources.map(decode)
  t.match(listener, {
    name: 'Web.shop',
    apiListener: {
      apiListener: {
        '@type': /HttpConnectionManager/,
        rds: { routeConfigName: 'grpc|Web.shop', configSource: { ads: {} } },
        httpFilters: [{ typedConfig: { '@type': /Router/ } }],
      },
    },
  })
  t.match(routes, { virtualHosts: [{ domains: ['*'], routes: [{ name: 'Mapping shop/m', route: { cluster: 'grpc|shop/web' } }] }] })
  t.match(cluster, {
    name: 'grpc|shop/web',
    type: 'EDS',
    edsClusterConfig: { serviceName: 'grpc|shop/web', edsConfig: { ads: {} } },
  })
  t.equal(grpcClusterOf('grpc|shop/web'), 'shop/web')
  t.equal(grpcClusterOf('shop/web'), undefined)
})

t.test('G5 host names are LOGICAL_DNS, addresses a fixed assignment; policies are those that every client has', async t => {
  const dns = generateGrpcCluster({ ...base, name: 'dns:x.y:80', kind: 'strict_dns', host: 'x.y', port: 80 })
  t.match(dns.resources.map(decode), [
    {
      type: 'LOGICAL_DNS',
      loadAssignment: { endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress: { address: 'x.y', portValue: 80 } } } }] }] },
    },
  ])
  const fixed = generateGrpcCluster({ ...base, name: 'static:[::1]:80', kind: 'static', address: '::1', port: 80 })
  t.same([...dns.assignments, ...fixed.assignments], [])
  t.match(fixed.resources.map(decode), [
    { clusterName: 'grpc|static:[::1]:80', endpoints: [{ locality: {}, loadBalancingWeight: 1 }] },
    { name: 'grpc|static:[::1]:80', type: 'EDS' },
  ])
  const policies = (['round_robin', 'least_request', 'ring_hash', 'maglev'] as const).map(loadBalancing =>
    generateGrpcCluster({ ...pool, loadBalancing }).resources.map(decode),
  )
  // ROUND_ROBIN is what stands when nothing is said.
  t.same(
    policies.map(([cluster]) => (cluster as { lbPolicy?: string }).lbPolicy),
    [undefined, undefined, 'RING_HASH', 'RING_HASH'],
  )
})

t.test('A28 each route draws anew, so shares are those of what is left', async t => {
  const parts = [
    [30, 30],
    [60, 30],
    [90, 30],
    [90, 0],
  ] as const
  const fractions = parts.map(([percent, weight]) => routed(route({ percent, percentOf: 100 }, {}, weight))?.['match'])
  const numerators = fractions.map(
    match => (match as { runtimeFraction: { defaultValue: { numerator: number } } }).runtimeFraction.defaultValue,
  )
  t.match(numerators[0], { denominator: 'MILLION' })
  let left = 1
  const shares = numerators.map(({ numerator }) => {
    const share = (left * numerator) / 1_000_000
    left -= share
    return Math.round(share * 1000) / 10
  })
  t.same(shares, [30, 30, 30, 0])
  t.notOk(Object.hasOwn(routed(route({}))?.['match'] ?? {}, 'runtimeFraction'))
})

t.test('A31, A42 time limits, hashes and expressions are said in the way of gRPC', async t => {
  t.match(routed(route({}, { timeoutMs: 1500 })), {
    route: { maxStreamDuration: { maxStreamDuration: { seconds: 1, nanos: 500_000_000 } } },
  })
  t.notMatch(routed(route({}, { timeoutMs: 0, rewrite: '/x' })), { route: { maxStreamDuration: {} } })
  t.match(routed(route({}, { hash: { kind: 'header', name: 'x' } })), { route: { hashPolicy: [{ header: { headerName: 'x' } }] } })
  for (const hash of [{ kind: 'source-ip' }, { kind: 'cookie', name: 'c', path: '' }] as const)
    t.match(routed(route({}, { hash })), { route: { hashPolicy: [{ filterState: { key: 'io.grpc.channel_id' } }] } })
  const regex = route({
    path: { kind: 'regex', value: '/a|/b', caseSensitive: false },
    headers: [{ name: 'x', kind: 'regex', value: 'a|b' }],
  })
  t.match(routed(regex), {
    match: { safeRegex: { regex: '(?i)(?:/a|/b)' }, headers: [{ stringMatch: { safeRegex: { regex: '(?:a|b)' } } }] },
  })
  t.same(
    grpcRoute({ ...route({}), action: { kind: 'https-redirect' } }, name => name),
    [],
  )
})
