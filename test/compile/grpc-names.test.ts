import t from 'tap'
import type { IrGrpcTarget } from '../../src/ir/grpc-names.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { compiled, host, knows, listener, mapping } from './fixtures.ts'

const known = knows(['shop', 'web'], ['shop', 'my.api'], ['blue', 'web'])

/** `path condition… -> cluster limit` of each route. */
function lines(target: IrGrpcTarget | undefined): readonly string[] | undefined {
  return target?.routes.map(({ match, action }) => {
    const conditions = match.headers.map(one => `${one.name}=${one.value}`)
    const share = match.percent === undefined ? [] : [`${String(match.percent)}%`]
    const to = action.kind === 'forward' ? `${action.cluster} ${String(action.timeoutMs)}ms` : action.kind
    return [match.path.value, ...conditions, ...share, '->', to].join(' ')
  })
}

t.test('NAME.NAMESPACE[:PORT] is the pool, without a time limit of ours', async t => {
  const { grpc } = compiled([], { known })
  t.same(lines(grpc.target('web.shop')), ['/ -> shop/web 0ms'])
  t.same(lines(grpc.target('web.blue:http')), ['/ -> blue/web:http 0ms'])
  t.same(lines(grpc.target('web.blue:8080')), ['/ -> blue/web:8080 0ms'])
  t.same(lines(grpc.target('my.api.shop')), ['/ -> shop/my.api 0ms'])
  t.equal(grpc.target('web.shop')?.name, 'web.shop')
  t.same(grpc.target('web.blue:8080')?.clusters[0], grpc.cluster('blue/web:8080'), 'a cluster is found by its name alone')
  t.same(grpc.cluster('blue/web:http'), grpc.target('web.blue:http')?.clusters[0])
})

t.test('a name that nobody knows is nothing, until it is known', async t => {
  const result = compiled([], { known })
  for (const name of [
    'web',
    'new.shop',
    'web.red',
    '10.0.0.1:80',
    'http://web.shop',
    'web.shop:0',
    '',
    '*',
    'xdstp://a/b',
    'a..b',
    '[::1]:80',
  ])
    t.equal(result.grpc.target(name), undefined, name)
  t.ok(result.lookups.services.has(serviceKey('shop', 'new')), 'its appearance is waited for')
  for (const name of ['', 'web', 'shop/new', 'shop/web:a:b', 'dns:x.y:80']) t.equal(result.grpc.cluster(name), undefined, name)
})

t.test('the exact hostname of a Mapping has the routes of this host, whatever Hosts and Listeners let in', async t => {
  const mappings = [
    mapping('shop/a', 'hostname: API.example, prefix: /pkg.A/, service: web, timeout_ms: 500'),
    mapping('shop/b1', 'hostname: api.example, prefix: /pkg.B/, service: web, weight: 30'),
    mapping('shop/b2', 'hostname: api.example, prefix: /pkg.B/, service: web.blue'),
    mapping('shop/all', 'hostname: "*", prefix: /, service: everything'),
    mapping('shop/other', 'hostname: "*.other", prefix: /other/, service: other'),
  ]
  const expected = [
    '/pkg.B/ 30% -> shop/web 3000ms',
    '/pkg.B/ -> blue/web 3000ms',
    '/pkg.A/ -> shop/web 500ms',
    '/ -> shop/everything 3000ms',
  ]
  const redirecting = host.replace('Route', 'Redirect')
  for (const documents of [mappings, [listener, redirecting, ...mappings]]) {
    const { grpc } = compiled(documents, { known })
    t.same(lines(grpc.target('api.example')), expected)
    t.same(lines(grpc.target('api.example:443')), expected, 'the port does not count')
    t.same(
      grpc.target('Api.Example')?.clusters.map(one => one.name),
      ['blue/web', 'shop/everything', 'shop/web'],
    )
    t.equal(grpc.target('x.other'), undefined, 'a pattern is no name')
    t.equal(grpc.cluster('shop/everything')?.kind, 'eds')
  }
})

t.test('conditions that all gRPC requests decide alike are decided, and routes that they cannot take are left out (A28)', async t => {
  const some = 'hostname: api.example, service: web'
  const { grpc } = compiled(
    [
      mapping('shop/a', `${some}, prefix: /post, method: POST`),
      mapping('shop/b', `${some}, prefix: /get, method: GET`),
      mapping('shop/c', `${some}, prefix: /either, method: "P.*|GET", method_regex: true`),
      mapping('shop/d', `${some}, prefix: /query, query_parameters: {a: b}`),
      mapping('shop/e', `${some}, prefix: /header, headers: {x-user: me}`),
      mapping('shop/f', 'host: "api[.].*", host_regex: true, prefix: /regex, service: web'),
      mapping('shop/g', 'host: "other[.].*", host_regex: true, prefix: /another, service: web'),
      mapping('shop/h', `${some}, prefix: /scheme, headers: {":scheme": http}`),
    ],
    { known },
  )
  const found = lines(grpc.target('api.example'))?.map(line => line.replace(' -> shop/web 3000ms', ''))
  t.same([...(found ?? [])].sort(), ['/either', '/header x-user=me', '/post', '/regex'])
})
