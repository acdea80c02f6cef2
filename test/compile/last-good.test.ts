import t from 'tap'
import type { CompileResult } from '../../src/compile/emissary/input.ts'
import { apiOf, type ServedKind } from '../../src/manifests/kinds.ts'
import { Round, host, listener, mapping, routeLines } from './fixtures.ts'

const part = (name: string, more: string) => mapping(name, `hostname: "*", prefix: /, service: ${name}${more}`)

t.test('an object that becomes invalid keeps serving as it was, and nothing else is touched', async t => {
  const round = new Round()
  round.apply(listener, host, part('a', ''), mapping('b', 'hostname: "*", prefix: /b, service: b'))
  for (const broken of [
    mapping('a', 'hostname: "*", prefix: /, service: a, weight: many'),
    mapping('a', 'hostname: "*", prefix: /, service: "a b"'),
    mapping('a', 'hostname: "*", prefix: /, service: other, resolver: nope'),
  ]) {
    const { table } = round.apply(listener, host, broken, mapping('b', 'hostname: "*", prefix: /b2, service: b'))
    t.same(routeLines(table), ['/b2 -> default/b', '/ -> default/a'])
    t.match(round.status('Mapping', 'a'), /^refused\+lastGood spec\./)
    t.equal(round.status('Mapping', 'b'), 'accepted')
  }
  const repaired = round.apply(listener, host, part('a', ', weight: 5'))
  t.same(routeLines(repaired.table), ['/ -> default/a'])
  t.equal(round.status('Mapping', 'a'), 'accepted')
  t.same(routeLines(round.apply(listener, host).table), [], 'a deleted object is gone')
  t.same(routeLines(round.apply(listener, host, part('a', ', nope: 1')).table), [], 'and so is its last good version')
})

t.test('an object that was never good is left out', async t => {
  const round = new Round()
  const { table } = round.apply(listener, host, part('a', ', nope: 1'), mapping('b', 'hostname: "*", prefix: /b, service: b'))
  t.same(routeLines(table), ['/b -> default/b'])
  t.match(round.status('Mapping', 'a'), /^refused spec\.nope/)
})

t.test('weights over 100 refuse every member and keep the last good split', async t => {
  const round = new Round()
  const bad = round.apply(listener, host, part('a', ', weight: 70'), part('b', ', weight: 40'))
  t.same(routeLines(bad.table), [], 'no split was ever good')
  t.match(round.status('Mapping', 'a'), /^refused spec\.weight: the weights of this Mapping and of Mapping default\/b add up to 110/)

  round.apply(listener, host, part('a', ', weight: 70'), part('b', ', weight: 30'))
  const good = ['/ 70% -> default/a', '/ -> default/b']
  const edited = round.apply(listener, host, part('a', ', weight: 90'), part('b', ', weight: 30'))
  t.same(routeLines(edited.table), good)
  for (const name of ['a', 'b']) t.match(round.status('Mapping', name), /^refused\+lastGood spec\.weight: .*add up to 120/)

  const joined = round.apply(listener, host, part('a', ', weight: 70'), part('b', ', weight: 30'), part('c', ', weight: 50'))
  t.same(routeLines(joined.table), good, 'a newcomer that breaks the sum does not take the others down')
  t.match(round.status('Mapping', 'c'), /^refused spec\.weight/)

  const repaired = round.apply(listener, host, part('a', ', weight: 90'), part('b', ', weight: 10'))
  t.same(routeLines(repaired.table), ['/ 90% -> default/a', '/ -> default/b'])
  t.equal(round.status('Mapping', 'b'), 'accepted')
})

t.test('a broken document keeps the objects that stood in its file', async t => {
  const round = new Round()
  round.apply(listener, host, part('a', ''))
  const { table } = round.apply(listener, host, 'kind: "Mapping\n')
  t.same(routeLines(table), ['/ -> default/a'])
  t.match(round.store.problems(), [{ code: 'manifest-unreadable', at: /^m\.yaml:\d+$/ }])
})

/** Of each kind an object that does something, as one line, and the same after a bad edit. What stands in a Secret: tls.test.ts. */
const edits: Readonly<Record<Exclude<ServedKind, 'Secret'>, readonly [good: string, bad: string, beside?: string]>> = {
  Mapping: ['{hostname: "*", prefix: /x/, service: x}', '{hostname: "*", prefix: /x/, service: x, timeout_ms: soon}'],
  TCPMapping: ['{port: 9000, service: db}', '{port: 9000, service: "a b"}'],
  Host: ['{hostname: x.example}', '{hostname: "x.*.example"}'],
  Listener: [
    '{port: 81, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}',
    '{port: 81, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: SELECTOR}}}',
  ],
  TLSContext: [
    '{sni: up.example}',
    '{sni: up.example, min_tls_version: v1.3, max_tls_version: v1.2}',
    mapping('up', 'hostname: "*", prefix: /up/, service: "https://up", tls: wrong'),
  ],
  Module: ['{config: {server_name: edge, ip_deny: [{peer: 10.0.0.0/8}]}}', '{config: {server_name: edge, ip_deny: [{peer: ten}]}}'],
  AuthService: ['{auth_service: auth, timeout_ms: 7}', '{auth_service: auth, timeout_ms: 7, status_on_error: {code: 599}}'],
  RateLimitService: ['{service: limits, domain: x}', '{service: limits, domain: x, protocol_version: v2}'],
  LogService: ['{service: log, driver: http, grpc: true}', '{service: log, driver: http, grpc: false}'],
  TracingService: ['{service: z, driver: zipkin}', '{service: z, driver: lightstep}'],
  ConsulResolver: [
    '{address: "consul:8500", datacenter: dc9}',
    '{address: "ftp://consul", datacenter: dc9}',
    mapping('far', 'hostname: "*", prefix: /far/, service: far, resolver: wrong'),
  ],
  KubernetesServiceResolver: ['{}', '{nope: 1}', mapping('dns', 'hostname: "*", prefix: /dns/, service: dns, resolver: wrong')],
  KubernetesEndpointResolver: ['{}', '{nope: 1}', mapping('eds', 'hostname: "*", prefix: /eds/, service: eds, resolver: wrong')],
  Ingress: [
    '{ingressClassName: ambassador, defaultBackend: {service: {name: web, port: {number: 80}}}}',
    '{ingressClassName: ambassador, defaultBackend: {service: {name: web, port: {number: 80, name: http}}}}',
  ],
  IngressClass: [
    '{controller: getambassador.io/ingress-controller}',
    '{controller: 7}',
    'apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: of-class}\nspec: {ingressClassName: wrong, defaultBackend: {service: {name: web, port: {number: 80}}}}\n',
  ],
  ServicePool: [
    '{members: [{vm: {service: a}}]}',
    '{members: [{vm: {service: a}, consul: {service: a}}]}',
    mapping('pooled', 'hostname: "*", prefix: /pooled/, service: wrong'),
  ],
}

for (const [kind, [good, bad, beside = part('b', '')]] of Object.entries(edits))
  t.test(`a bad edit of a ${kind}: what it was goes on, and it says so`, async t => {
    const name = kind === 'Module' ? 'ambassador' : 'wrong'
    const document = (spec: string) => `apiVersion: ${apiOf(kind as ServedKind)}\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`
    const round = new Round()
    const made = ({ table, pools, consulRequests }: CompileResult) => ({ table, pools, consulRequests })
    const before = made(round.apply(listener, host, beside, document(good)))
    t.equal(round.status(kind, name), 'accepted')
    t.notSame(made(new Round().apply(listener, host, beside)), before, 'it does something')
    t.strictSame(made(round.apply(listener, host, beside, document(bad))), before)
    t.match(round.status(kind, name), /^refused\+lastGood /)
    round.apply(listener, host, beside, document(good))
    t.equal(round.status(kind, name), 'accepted')
  })
