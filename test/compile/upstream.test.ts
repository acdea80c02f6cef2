import t from 'tap'
import { type Given, compiled, host, knows, listener, mapping, object, Round } from './fixtures.ts'

const dc1 = { name: 'dc1', address: 'http://127.0.0.1:8500', datacenter: 'dc1', namespace: 'legacy' }

function upstream(service: string, given: Given = {}, more = '', ...others: readonly string[]): unknown {
  const round = new Round(given)
  const { table } = round.apply(listener, host, mapping('shop/m', `hostname: "*", prefix: /, service: "${service}"${more}`), ...others)
  const [cluster] = table.clusters
  if (cluster === undefined) return round.status('Mapping', 'm')
  if (cluster.kind === 'eds') {
    const { members } = cluster.assignment
    return `${cluster.name} -> ${cluster.assignment.service} ${members.kind === 'all' ? 'all' : JSON.stringify(Object.values(members).slice(1))}`
  }
  return cluster.kind === 'static'
    ? `${cluster.name} -> ${cluster.address} ${cluster.port}`
    : `${cluster.name} -> dns ${cluster.host} ${cluster.port}`
}

t.test('hybrid (no resolver): the pool over all sources, host names and addresses as themselves', async t => {
  const known = knows(['shop', 'payments'], ['shop', 'my.dotted'], ['other', 'x.y'], ['blue', 'web'])
  const table: readonly (readonly [string, string])[] = [
    ['payments', 'shop/payments -> shop/payments all'],
    ['unknown', 'shop/unknown -> shop/unknown all'],
    ['payments:http', 'shop/payments:http -> shop/payments all'],
    ['payments:8080', 'shop/payments:8080 -> shop/payments all'],
    ['web.blue', 'blue/web -> blue/web all'],
    ['web.blue.svc.cluster.local', 'blue/web -> blue/web all'],
    ['new.blue', 'blue/new -> blue/new all'],
    ['new.blue.svc.cluster.local:80', 'blue/new:80 -> blue/new all'],
    ['my.dotted', 'shop/my.dotted -> shop/my.dotted all'],
    ['x.y.other', 'other/x.y -> other/x.y all'],
    ['u.v.other', 'other/u.v -> other/u.v all'],
    ['new.shop', 'shop/new -> shop/new all'],
    ['www.example.com', 'dns:www.example.com:80 -> dns www.example.com 80'],
    ['www.example.com:8080', 'dns:www.example.com:8080 -> dns www.example.com 8080'],
    ['db.corp:pg', 'corp/db:pg -> corp/db all'],
    ['localhost:3000', 'dns:localhost:3000 -> dns localhost 3000'],
    ['10.1.2.3:81', 'static:10.1.2.3:81 -> 10.1.2.3 81'],
    ['[fd00::1]', 'static:[fd00::1]:80 -> fd00::1 80'],
  ]
  // TLS has another usual port, and is another cluster.
  const secure = / -> .*/
  for (const [service, name, target] of [
    ['https://payments', 'shop/payments|tls', 'shop/payments all'],
    ['https://www.example.com', 'dns:www.example.com:443', 'dns www.example.com 443'],
    ['https://10.1.2.3', 'static:10.1.2.3:443', '10.1.2.3 443'],
    ['https://10.1.2.3:81', 'static:10.1.2.3:81', '10.1.2.3 81'],
  ] as const) {
    const found = String(upstream(service, { known }))
    t.ok(found.startsWith(`${name}|options:`), found)
    t.equal(secure.exec(found)?.[0], ` -> ${target}`)
  }
  for (const [service, expected] of table) t.equal(upstream(service, { known }), expected, service)
  t.equal(upstream('www.example.com', { known }, ', resolver: hybrid'), 'dns:www.example.com:80 -> dns www.example.com 80')
})

t.test('every name that was looked up in vain is given back, and its appearance changes the result', async t => {
  const web = mapping('shop/m', 'hostname: "*", prefix: /, service: reports.corp.example')
  const before = compiled([listener, host, web])
  t.equal(before.table.clusters[0]?.kind, 'strict_dns')
  t.same([...before.lookups.services].sort(), ['corp/reports', 'example/reports.corp', 'shop/reports.corp.example'])
  t.same([...before.lookups.namespaces].sort(), ['example'])
  for (const key of [
    ['corp', 'reports'],
    ['example', 'reports.corp'],
    ['shop', 'reports.corp.example'],
  ] as const)
    t.match(compiled([listener, host, web], { known: knows(key) }).table.clusters, [
      { kind: 'eds', assignment: { service: key.join('/') } },
    ])
})

t.test('named resolvers', async t => {
  const given = { consulSources: [dc1] }
  const table: readonly (readonly [string, string, string])[] = [
    ['payments', 'kubernetes-endpoint', 'shop/payments|kubernetes -> shop/payments ["kubernetes"]'],
    ['payments.pay.svc.cluster.local:http', 'endpoint', 'pay/payments:http|kubernetes -> pay/payments ["kubernetes"]'],
    ['payments:8080', 'kubernetes-service', 'dns:payments.shop:8080 -> dns payments.shop 8080'],
    ['payments.pay', 'kubernetes-service', 'dns:payments.pay:80 -> dns payments.pay 80'],
    ['payments', 'consul', 'legacy/payments|source:dc1 -> legacy/payments ["dc1"]'],
    ['My.Dotted', 'consul-endpoint', 'legacy/My.Dotted|source:dc1 -> legacy/My.Dotted ["dc1"]'],
    ['10.0.0.1', 'consul', 'static:10.0.0.1:80 -> 10.0.0.1 80'],
    ['10.0.0.1', 'endpoint', 'static:10.0.0.1:80 -> 10.0.0.1 80'],
  ]
  for (const [service, resolver, expected] of table)
    t.equal(upstream(service, given, `, resolver: ${resolver}`), expected, `${service} by ${resolver}`)
  const known = knows(['legacy', 'payments'])
  t.equal(upstream('payments.legacy', { ...given, known }, ', resolver: consul'), 'legacy/payments|source:dc1 -> legacy/payments ["dc1"]')
})

t.test('what cannot be resolved refuses its Mapping with the field and the way out', async t => {
  const table: readonly (readonly [string, string, RegExp, Given?])[] = [
    ['a b', '', /^refused spec\.service: "a b": "a b" is no service name/],
    ['web', ', tls: nope', /^refused spec\.tls: there is no usable TLSContext "nope".*not sent in cleartext/],
    ['web', ', resolver: nope', /^refused spec\.resolver: there is no resolver "nope"/],
    ['web', ', resolver: consul', /settings, which have none/],
    ['web', ', resolver: consul', /ambiguous: the settings have dc1, dc2/, { consulSources: [dc1, { ...dc1, name: 'dc2' }] }],
    ['web:http', ', resolver: kubernetes-service', /DNS has no port names/],
    ['10.0.0.1:http', '', /an address has no port names/],
  ]
  for (const [service, more, reason, given] of table) t.match(upstream(service, given, more), reason, `${service}${more}`)
})

t.test('a ConsulResolver binds to the source with its address and datacenter, or asks for one', async t => {
  const resolver = (place: string, address: string, datacenter: string) =>
    object('ConsulResolver', place, `{address: "${address}", datacenter: ${datacenter}}`)
  const given = { consulSources: [dc1], environment: { AGENT: '127.0.0.1' } }
  const by = (spec: string, ...resolvers: readonly string[]) => upstream('payments', given, `, resolver: ${spec}`, ...resolvers)
  t.equal(by('r', resolver('shop/r', '$AGENT:8500', 'dc1')), 'legacy/payments|source:dc1 -> legacy/payments ["dc1"]')
  const asked = 'consul-dc2-127.0.0.1-8500'
  t.equal(by('r', resolver('shop/r', '127.0.0.1', 'dc2')), `default/payments|source:${asked} -> default/payments ["${asked}"]`)
  const { consulRequests } = compiled(
    [listener, host, resolver('b/r', '127.0.0.1', 'dc2'), resolver('a/r', 'http://127.0.0.1:8500', 'dc2')],
    given,
  )
  t.match(consulRequests, [
    { name: asked, address: 'http://127.0.0.1:8500', datacenter: 'dc2', resolvers: [{ namespace: 'a' }, { namespace: 'b' }] },
  ])
  t.equal(consulRequests.length, 1)

  t.match(by('r', resolver('shop/r', '$NOPE', 'dc1')), /^refused spec\.resolver: .*ConsulResolver shop\/r/)
  const round = new Round(given)
  round.apply(resolver('shop/r', '$NOPE', 'dc1'))
  t.match(round.status('ConsulResolver', 'r'), /^refused spec\.address: the environment has no NOPE/)
})

t.test('a resolver is looked up in its own namespace, then uniquely elsewhere, or by name.namespace', async t => {
  const kubernetes = (place: string) => object('KubernetesEndpointResolver', place, '{}')
  const dns = (place: string) => object('KubernetesServiceResolver', place, '{}')
  const by = (spec: string, ...resolvers: readonly string[]) => upstream('web', {}, `, resolver: ${spec}`, ...resolvers)
  t.match(by('r', kubernetes('shop/r'), dns('other/r')), /web\|kubernetes/)
  t.match(by('r', dns('other/r')), /dns:web\.shop/)
  t.match(
    by('r', dns('other/r'), kubernetes('third/r')),
    /ambiguous: KubernetesEndpointResolver third\/r, KubernetesServiceResolver other\/r|ambiguous: KubernetesServiceResolver other\/r/,
  )
  t.match(by('r.other', dns('other/r'), kubernetes('third/r')), /dns:web\.shop/)
})

t.test('clusters: one per upstream and options, named by what differs', async t => {
  const { table } = compiled([
    listener,
    host,
    mapping('shop/a', 'hostname: "*", prefix: /a/, service: web'),
    mapping('shop/b', 'hostname: "*", prefix: /b/, service: web.shop'),
    mapping('shop/c', 'hostname: "*", prefix: /c/, service: web, load_balancer: {policy: ring_hash, cookie: {name: sid, ttl: 1m30s}}'),
    mapping('shop/d', 'hostname: "*", prefix: /d/, service: web, connect_timeout_ms: 500, cluster_tag: canary, stats_name: my-web'),
    mapping('shop/unused', 'prefix: /e/, service: nobody'),
  ])
  t.match(table.clusters, [
    { name: 'canary|shop/web|connect:500ms|stats:my-web', statName: 'my_web', connectTimeoutMs: 500 },
    { name: 'shop/web', statName: 'web', loadBalancing: 'round_robin', connectTimeoutMs: 3000, origins: [{ name: 'a' }, { name: 'b' }] },
    { name: 'shop/web|ring_hash', loadBalancing: 'ring_hash', assignment: { name: 'shop/web' } },
  ])
  t.equal(table.clusters.length, 3, 'an upstream that no route uses is not there')
  const hashing = table.routeConfigs[0]?.virtualHosts[0]?.routes.find(route => route.match.path.value === '/c/')?.action
  t.match(hashing, { hash: { kind: 'cookie', name: 'sid', ttlSeconds: 90 } })
})
