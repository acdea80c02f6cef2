import t from 'tap'
import { Round, compiled, host, listener, mapping, object, routeLines } from './fixtures.ts'

const web = (name: string, hostname: string) => mapping(name, `hostname: "${hostname}", prefix: /${name}, service: web`)
const routing = '{insecure: {action: Route}}'
const listenerOf = (place: string, port: number, model: string, binding = '{namespace: {from: ALL}}') =>
  object('Listener', place, `{port: ${port}, protocol: HTTP, securityModel: ${model}, hostBinding: ${binding}}`)

t.test('Hosts and Mappings meet by hostname globs, both ways, with a host condition where the Host is wider', async t => {
  const { table } = compiled([
    listener,
    object('Host', 'a', `{hostname: "*.example.com", requestPolicy: ${routing}}`),
    object('Host', 'b', `{hostname: "*", requestPolicy: ${routing}}`),
    web('m1', '*'),
    web('m2', 'x.example.com'),
    web('m3', '*.example.com'),
    web('m4', 'other.org'),
    web('m5', 'x.*'),
  ])
  const authority = (text: string) => `:authority~(?i)${text}(:[0-9]+)?`
  const closer = routeLines(table, '*.example.com')
  t.same(closer.toSorted(), [
    '/m1 -> default/web',
    `/m2 ${authority('x\\.example\\.com')} -> default/web`,
    '/m3 -> default/web',
    `/m5 ${authority('x\\.[^:]+')} -> default/web`,
  ])
  t.same(
    routeLines(table, '*')
      .map(line => line.split(' ')[0])
      .sort(),
    ['/m1', '/m4', '/m5'],
    'a Mapping whose host a closer Host covers is not repeated in the wider one',
  )
})

t.test('selector and hostname given: both must match; one given: that one; neither: never', async t => {
  const documents = [
    listener,
    object('Host', 'labelled', `{hostname: a.example.com, mappingSelector: {matchLabels: {team: a}}, requestPolicy: ${routing}}`),
    object('Host', 'named', `{hostname: b.example.com, requestPolicy: ${routing}}`),
    mapping('m1 team=a', 'hostname: "*", prefix: /m1, service: web'),
    mapping('m2 team=b', 'hostname: "*", prefix: /m2, service: web'),
    mapping('m3 team=a', 'prefix: /m3, service: web'),
    mapping('m4', 'prefix: /m4, service: web'),
  ]
  const round = new Round()
  const { table } = round.apply(...documents)
  const paths = (domain: string, from = table) =>
    routeLines(from, domain)
      .map(line => line.split(' ')[0])
      .sort()
  t.same(paths('a.example.com'), ['/m1', '/m3'])
  t.same(paths('b.example.com'), ['/m1', '/m2'])
  t.match(round.notices('Mapping', 'm4'), [/no Host takes this Mapping: set spec\.hostname/])
  const loose = compiled(documents, { environment: { DISABLE_STRICT_LABEL_SELECTORS: 'true' } })
  t.same(paths('a.example.com', loose.table), ['/m1', '/m2', '/m3'])
})

t.test('equal Mappings of different Hosts stay apart: no split over Hosts', async t => {
  const own = (team: string) =>
    `{hostname: ${team}.example.com, mappingSelector: {matchLabels: {team: ${team}}}, requestPolicy: ${routing}}`
  const { table } = compiled([
    listener,
    object('Host', 'a', own('a')),
    object('Host', 'b', own('b')),
    mapping('m1 team=a', 'prefix: /, service: one'),
    mapping('m2 team=b', 'prefix: /, service: two'),
  ])
  t.same(routeLines(table, 'a.example.com'), ['/ -> default/one'])
  t.same(routeLines(table, 'b.example.com'), ['/ -> default/two'])
})

t.test('Hosts with equal routes share one virtual host', async t => {
  const { table } = compiled([
    listener,
    ...['a', 'b', 'c'].map(name => object('Host', name, `{hostname: ${name}.example.com, requestPolicy: ${routing}}`)),
    web('m1', '*'),
    web('m2', 'c.example.com'),
  ])
  t.match(table.routeConfigs[0]?.virtualHosts, [{ domains: ['a.example.com', 'b.example.com'] }, { domains: ['c.example.com'] }])
})

t.test('insecure action and security model decide about cleartext', async t => {
  const secure = '/m x-forwarded-proto=https -> default/web'
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ['XFP', 'Route', ['/m -> default/web']],
    ['XFP', 'Redirect', [secure, '/m -> https-redirect']],
    ['XFP', 'Reject', [secure]],
    ['INSECURE', 'Route', ['/m -> default/web']],
    ['INSECURE', 'Redirect', ['/m -> https-redirect']],
    ['INSECURE', 'Reject', []],
    ['SECURE', 'Route', ['/m -> default/web']],
    ['SECURE', 'Redirect', ['/m -> default/web']],
    ['SECURE', 'Reject', ['/m -> default/web']],
  ]
  for (const [model, action, expected] of table) {
    const given = [listenerOf('l', 80, model), object('Host', 'h', `{requestPolicy: {insecure: {action: ${action}}}}`), web('m', '*')]
    t.same(routeLines(compiled(given).table), expected, `${model} ${action}`)
  }
  const byDefault = compiled([listenerOf('l', 80, 'INSECURE'), object('Host', 'h', '{}'), web('m', '*')])
  t.same(routeLines(byDefault.table), ['/m -> https-redirect'], 'Redirect is the default')
})

t.test('a partial split is redirected once, and never from https to https', async t => {
  const part = (name: string, weight: number) => mapping(name, `hostname: "*", prefix: /, service: ${name}, weight: ${weight}`)
  const { table } = compiled([listenerOf('l', 80, 'XFP'), object('Host', 'h', '{}'), part('a', 10), part('b', 20)])
  t.same(routeLines(table), [
    '/ x-forwarded-proto=https 10% -> default/a',
    '/ x-forwarded-proto=https 30% -> default/b',
    '/ x-forwarded-proto!=https -> https-redirect',
  ])
})

t.test('without any Host there is one for every name that routes cleartext; a refused Host does not open it', async t => {
  const bare = compiled([listenerOf('l', 80, 'XFP', '{namespace: {from: SELF}}'), web('m', '*')])
  t.same(routeLines(bare.table), ['/m -> default/web'])
  const refused = compiled([listener, object('Host', 'h', '{hostnam: a}'), web('m', '*')])
  t.same(refused.table.routeConfigs[0]?.virtualHosts, [])
})

t.test('Listeners take Hosts by namespace and labels, share equal route configurations, and hold a port once', async t => {
  const round = new Round({ environment: { AMBASSADOR_ENVOY_BIND_ADDRESS: '127.0.0.1' } })
  const { table, warnings } = round.apply(
    listenerOf('a/one', 8081, 'XFP', '{namespace: {from: SELF}}'),
    listenerOf('a/two', 8082, 'XFP'),
    listenerOf('b/three', 8083, 'XFP'),
    listenerOf('b/four', 8084, 'XFP', '{namespace: {from: ALL}, selector: {matchLabels: {edge: "1"}}}'),
    listenerOf('b/five', 8081, 'SECURE'),
    listenerOf('c/six', 8086, 'XFP', '{namespace: {from: SELF}}'),
    object('Host', 'a/h1 edge=1', '{hostname: h1.example.com}'),
    object('Host', 'b/h2', '{hostname: h2.example.com}'),
    object('Host', 'd/h3', '{hostname: h2.example.com}'),
  )
  t.same(warnings, [])
  const served = table.listeners.map(({ port, address, chains }) => {
    const serve = chains[0]?.serve
    const routeConfig = serve?.kind === 'http' ? serve.routeConfig : undefined
    const config = table.routeConfigs.find(one => one.name === routeConfig)
    return [port, address, routeConfig, config?.virtualHosts.flatMap(one => one.domains)]
  })
  t.same(served, [
    [8081, '127.0.0.1', 'routes|XFP|namespace:a', ['h1.example.com']],
    [8082, '127.0.0.1', 'routes|XFP|all', ['h1.example.com', 'h2.example.com']],
    [8083, '127.0.0.1', 'routes|XFP|all', ['h1.example.com', 'h2.example.com']],
    [8084, '127.0.0.1', 'routes|XFP|all|edge=1', ['h1.example.com']],
    [8086, '127.0.0.1', 'routes|XFP|namespace:c', []],
  ])
  t.match(round.status('Listener', 'five'), /^refused spec\.port: 8081 is taken by Listener a\/one \(m\.yaml:1\)/)
  t.match(round.notices('Listener', 'six'), [/no Host fits spec\.hostBinding/])
})

t.test('a PROXY header is required unless the annotation says otherwise; a wrong annotation refuses the Listener', async t => {
  const round = new Round()
  const annotated = (name: string, port: number, protocol: string, value: string) =>
    listenerOf(name, port, 'XFP')
      .replace('labels: {}', `labels: {}, annotations: {isthmus.dev/proxy-protocol: ${value}}`)
      .replace('protocol: HTTP', `protocol: ${protocol}`)
  const { table } = round.apply(
    listenerOf('plain', 80, 'XFP'),
    listenerOf('usual', 81, 'XFP').replace('protocol: HTTP', 'protocol: HTTPPROXY'),
    annotated('said', 82, 'HTTPPROXY', 'required'),
    annotated('moving', 83, 'HTTPPROXY', 'optional'),
    annotated('wrong', 84, 'HTTPPROXY', '"false"'),
    annotated('without', 85, 'HTTP', 'optional'),
  )
  t.same(
    table.listeners.map(one => [one.port, one.proxyProtocol]),
    [
      [80, undefined],
      [81, 'required'],
      [82, 'required'],
      [83, 'optional'],
    ],
  )
  t.match(
    round.status('Listener', 'wrong'),
    /^refused metadata\.annotations\.isthmus\.dev\/proxy-protocol: "false" is neither required nor/,
  )
  t.match(round.status('Listener', 'without'), /^refused metadata\.annotations\.isthmus\.dev\/proxy-protocol: needs PROXY in protocolStack/)
})

t.test('Hosts of one hostname make one virtual host with the Mappings of both; the first decides about cleartext', async t => {
  const round = new Round()
  const { table } = round.apply(
    listenerOf('l', 80, 'INSECURE'),
    object('Host', 'a', `{hostname: x.example.com, mappingSelector: {matchLabels: {t: a}}, requestPolicy: ${routing}}`),
    object('Host', 'b', '{hostname: X.example.com, mappingSelector: {matchLabels: {t: b}}}'),
    mapping('m1 t=a', 'prefix: /m1, service: web'),
    mapping('m2 t=b', 'prefix: /m2, service: web'),
  )
  t.same(routeLines(table, 'x.example.com'), ['/m2 -> default/web', '/m1 -> default/web'])
  t.match(round.notices('Host', 'b'), [/Host default\/a has the same hostname/])
})

t.test('no Listener: nothing listens, with a warning', async t => {
  const { table, warnings } = compiled([host, web('m', '*')])
  t.match(table, { listeners: [], routeConfigs: [], clusters: [] })
  t.match(warnings, [/nothing listens/])
})

t.test('the challenge of who hands out certificates is answered in cleartext, whatever the Host does with cleartext', async t => {
  const challenge = mapping('acme', 'hostname: "*", prefix: /.well-known/acme-challenge/token, prefix_exact: true, service: solver')
  for (const model of ['XFP', 'INSECURE', 'SECURE'])
    for (const action of ['Redirect', 'Reject', 'Route']) {
      const host = object('Host', 'h', `{hostname: "*", requestPolicy: {insecure: {action: ${action}}}}`)
      const { table } = compiled([listenerOf('l', 8080, model), host, challenge, web('m', '*')])
      t.equal(routeLines(table)[0], '=/.well-known/acme-challenge/token -> default/solver', `${model} ${action}`)
    }
})
