import fc from 'fast-check'
import t from 'tap'
import { Round, compiled, host, listener, mapping, object, routeLines } from './fixtures.ts'

const any = 'hostname: "*", service: web'

t.test('order: precedence, prefix length, header length, query length, prefix, method, header keys', async t => {
  // In the order they must be matched, whatever the names.
  const expected = [
    ['last', 'prefix: /, precedence: 5'],
    ['regex', 'prefix: "/api/v[0-9]+/.*", prefix_regex: true'],
    ['long', 'prefix: /api/v1/'],
    ['exact', 'prefix: /api/v1, prefix_exact: true'],
    ['c-regexheader', 'prefix: /api/, regex_headers: {x-user: "abcd"}'],
    ['z-method-equal-length', 'prefix: /api/, method: PUT' /* as long as the next: method decides */],
    ['b-header', 'prefix: /api/, headers: {x-user: "abcd"}'],
    ['a-query', 'prefix: /api/, query_parameters: {page: "1"}'],
    ['plain', 'prefix: /api/'],
    ['same-length', 'prefix: /aaa/'],
    ['root', 'prefix: /'],
    ['first', 'prefix: /longest/of/all, precedence: -1'],
  ] as const
  const documents = expected.map(([name, spec]) => mapping(name, `hostname: "*", service: ${name}, ${spec}`))
  const { table } = compiled([listener, host, ...[...documents].reverse()])
  t.same(
    table.routeConfigs[0]?.virtualHosts[0]?.routes.map(route => route.origins[0]?.name),
    expected.map(([name]) => name),
  )
})

t.test('the order and the result do not depend on the order of the input', async () => {
  const documents = [
    listener,
    host,
    object('Host', 'b', '{hostname: "*.example.com"}'),
    ...['/', '/a', '/b', '/a/b'].flatMap((prefix, index) => [
      mapping(`one${index}`, `${any}, prefix: ${prefix}`),
      mapping(`x/two${index}`, `${any}, prefix: ${prefix}, weight: ${index * 20}`),
      mapping(`three${index}`, `hostname: "a.example.com", prefix: ${prefix}, service: other, method: GET`),
    ]),
    mapping('bad', `${any}, prefix: /a, load_balancer: {policy: maglev, source_ip: true}`),
  ]
  const placeless = (list: readonly string[]) => JSON.stringify(compiled(list).table).replace(/"at":"[^"]*"/g, '')
  const expected = placeless(documents)
  fc.assert(
    fc.property(fc.shuffledSubarray(documents, { minLength: documents.length }), list => placeless(list) === expected),
    { numRuns: 30 },
  )
})

t.test('conditions become matches; the deprecated host and an exact :authority header count as host', async t => {
  const { table } = compiled([
    listener,
    host,
    mapping(
      'all',
      `${any}, prefix: /all, method: "GET|PUT", method_regex: true, headers: {X-A: b}, regex_headers: {X-B: ".*", X-C: "c+"}, query_parameters: {q: "1"}, regex_query_parameters: {r: "2+"}, case_sensitive: false`,
    ),
    mapping('h1', 'host: a.example.com, prefix: /h1, service: web'),
    mapping('h2', 'headers: {":authority": b.example.com}, prefix: /h2, service: web'),
    mapping('h3', 'host: "c[0-9]", host_regex: true, prefix: /h3, service: web'),
  ])
  t.same(routeLines(table), [
    '/all :method~GET|PUT x-a=b x-b~ x-c~c+ ?q=1 ?r~2+ -> default/web',
    '/h2 :authority~(?i)b\\.example\\.com(:[0-9]+)? -> default/web',
    '/h1 :authority~(?i)a\\.example\\.com(:[0-9]+)? -> default/web',
    '/h3 :authority~c[0-9] -> default/web',
  ])
  t.match(table.routeConfigs[0]?.virtualHosts[0]?.routes[0]?.match.path, { caseSensitive: false })
})

t.test('action: rewrite is "/" unless set, "" leaves the path; timeout is 3 s unless set', async t => {
  const { table } = compiled([
    listener,
    host,
    mapping('a', `${any}, prefix: /a/`),
    mapping('b', `${any}, prefix: /b/, rewrite: "", timeout_ms: 0`),
    mapping('c', `${any}, prefix: /c/, rewrite: /x/, timeout_ms: 500`),
  ])
  const actions = table.routeConfigs[0]?.virtualHosts[0]?.routes.map(route => route.action)
  t.same(actions, [
    { kind: 'forward', cluster: 'default/web', rewrite: '/x/', timeoutMs: 500 },
    { kind: 'forward', cluster: 'default/web', timeoutMs: 0 },
    { kind: 'forward', cluster: 'default/web', rewrite: '/', timeoutMs: 3000 },
  ])
})

t.test('a group is a split by running sums; below 100 the rest falls through, and the next split draws independently', async t => {
  const { table } = compiled([
    listener,
    host,
    mapping('a1', 'hostname: "*", prefix: /a/, service: one, weight: 10'),
    mapping('a2', 'hostname: "*", prefix: /a/, service: two, weight: 20'),
    mapping('b1', 'hostname: "*", prefix: /, service: three, weight: 30'),
    mapping('b2', 'hostname: "*", prefix: /, service: four'),
  ])
  t.same(routeLines(table), ['/a/ 10% -> default/one', '/a/ 30% -> default/two', '/ 30% of 10000 -> default/three', '/ -> default/four'])
  const weights = table.routeConfigs[0]?.virtualHosts[0]?.routes.map(route => route.weight)
  t.same(weights, [10, 20, 30, 70])
})

t.test('members of other conditions or precedence are groups of their own', async t => {
  const round = new Round()
  const { table } = round.apply(
    listener,
    host,
    mapping('a', `${any}, prefix: /x`),
    mapping('b', `${any}, prefix: /x, method: GET`),
    mapping('c', `${any}, prefix: /x, precedence: 1`),
    mapping('d', `${any}, prefix: /x, headers: {a: b}`),
    mapping('e', `${any}, prefix: /x, weight: 30`),
    mapping('lone', `${any}, prefix: /y, weight: 0`),
    mapping('other/f', `${any}, prefix: /x, weight: 10`),
  )
  t.same(routeLines(table), [
    '/x -> default/web',
    '/x :method=GET -> default/web',
    '/x a=b -> default/web',
    '/y -> default/web',
    '/x 60% -> default/web',
    '/x 90% -> default/web',
    '/x -> other/web',
  ])
  t.match(round.notices('Mapping', 'lone'), [/spec\.weight has no effect/])
  t.match(round.notices('Mapping', 'f'), [/split with Mappings of other namespaces: Mapping default\/a/])
})

t.test('a member that disagrees with the first of its group is refused alone', async t => {
  const round = new Round()
  const { table } = round.apply(
    listener,
    host,
    mapping('a', `${any}, prefix: /x`),
    mapping('b', `${any}, prefix: /x, prefix_exact: true`),
    mapping('c', `${any}, prefix: /x, load_balancer: {policy: least_request}`),
    mapping('d', `${any}, prefix: /x, connect_timeout_ms: 5`),
    mapping('e', `${any}, prefix: /x, load_balancer: {policy: round_robin}`),
  )
  t.match(round.status('Mapping', 'b'), /^refused spec\.prefix_exact: differs from Mapping default\/a/)
  t.match(round.status('Mapping', 'c'), /^refused spec\.load_balancer/)
  t.match(round.status('Mapping', 'd'), /^refused spec\.connect_timeout_ms/)
  t.equal(round.status('Mapping', 'e'), 'accepted')
  t.same(routeLines(table), ['/x 50% -> default/web', '/x -> default/web'])
})

t.test('golden: one Listener, two Hosts, three Mappings', async t => {
  const { table, warnings } = compiled([
    object('Listener', 'http', '{port: 8080, protocol: HTTP, securityModel: XFP, l7Depth: 1, hostBinding: {namespace: {from: ALL}}}'),
    object('Host', 'shop', '{hostname: "shop.example.com:443"}'),
    object('Host', 'open', '{hostname: "*", requestPolicy: {insecure: {action: Route}}}'),
    mapping('shop/pay', 'hostname: shop.example.com, prefix: /pay/, service: payments, weight: 80'),
    mapping('shop/pay-new', 'hostname: shop.example.com, prefix: /pay/, service: "payments-new:http"'),
    mapping('shop/root', 'hostname: "*", prefix: /, service: web'),
  ])
  t.same(warnings, [])
  t.matchSnapshot(JSON.stringify(table, undefined, 1))
})
