import t from 'tap'
import { compiled, host, listener, mapping, object, Round } from './fixtures.ts'

const auth = (name: string, spec: string) => object('AuthService', name, `{auth_service: auth:3000, ${spec}}`)
const routesOf = (...documents: readonly string[]) =>
  compiled([listener, host, ...documents]).table.routeConfigs[0]?.virtualHosts[0]?.routes ?? []
const plain = mapping('m', 'hostname: "*", prefix: /, service: web')

t.test('an AuthService has Emissary’s defaults (emissary-resources.md 7)', t => {
  const { table } = compiled([listener, host, auth('a', ''), plain])
  t.match(table.http.auth, [
    {
      filter: 'auth default/a',
      optIn: false,
      check: {
        service: { cluster: 'default/auth:3000', authority: 'auth' },
        ...{ protocol: 'http', timeoutMs: 5000, statusOnError: 403, failOpen: false, pathPrefix: '' },
        requestHeaders: [
          'authorization',
          'cookie',
          'from',
          'proxy-authorization',
          'user-agent',
          /x-forwarded/,
          /x-forwarded/,
          /x-forwarded/,
        ],
        answerHeaders: ['authorization', 'location', 'proxy-authenticate', 'set-cookie', 'www-authenticate'],
      },
    },
  ])
  t.ok(
    table.clusters.some(cluster => cluster.name === 'default/auth:3000'),
    'its cluster is served beside those of routes',
  )
  t.strictSame(routesOf(auth('a', ''), plain)[0]?.filters, undefined, 'a plain Mapping is asked about without a word of its own')
  t.end()
})

t.test('the legacy body, and include_body before it', t => {
  const body = (spec: string) => compiled([listener, host, auth('a', spec), plain]).table.http.auth[0]?.check?.body
  t.strictSame(body('allow_request_body: true'), { maxBytes: 4096, allowPartial: true })
  t.strictSame(body('allow_request_body: true, include_body: {max_bytes: 9, allow_partial: false}'), { maxBytes: 9, allowPartial: false })
  t.equal(body('allow_request_body: false'), undefined)
  t.end()
})

t.test('routes that redirect ask nobody; bypass_auth must agree within a group', t => {
  const redirecting = object('Host', 'any', '{hostname: "*"}')
  const { table } = compiled([listener.replace('XFP', 'INSECURE'), redirecting, auth('a', ''), plain])
  t.match(table.routeConfigs[0]?.virtualHosts[0]?.routes, [
    { action: { kind: 'https-redirect' }, filters: [{ filter: 'auth default/a', kind: 'off' }] },
  ])
  const round = new Round()
  round.apply(listener, host, plain, mapping('n', 'hostname: "*", prefix: /, service: other, bypass_auth: true'))
  t.match(round.status('Mapping', 'n'), /^refused spec\.bypass_auth: differs from Mapping default\/m/)
  t.end()
})

t.test('an AuthService that cannot be used and never could fails closed; one that could keeps its last good version', t => {
  const never = compiled([listener, host, auth('a', 'timeout_ms: soon'), plain])
  t.match(never.table.http.auth, [{ filter: 'auth default/a', check: undefined }])
  const unresolved = compiled([listener, host, object('AuthService', 'b', '{auth_service: "a/b"}'), plain])
  t.match(unresolved.table.http.auth, [{ filter: 'auth default/b', check: undefined }])
  for (const { verdicts } of [never, unresolved])
    t.match(
      [...verdicts.entries()].filter(([id]) => id.startsWith('AuthService')),
      [[/./, { notices: [/is answered 500 until it can be used/] }]],
    )
  const round = new Round()
  round.apply(listener, host, auth('a', 'timeout_ms: 100'), plain)
  t.match(round.apply(listener, host, auth('a', 'timeout_ms: soon'), plain).table.http.auth, [{ check: { timeoutMs: 100 } }])
  t.match(round.status('AuthService', 'a'), /^refused\+lastGood spec\.timeout_ms/)
  t.end()
})

t.test('what cannot be served is refused with what to do', t => {
  const bad: readonly (readonly [kind: string, spec: string, reason: RegExp])[] = [
    ['AuthService', '{auth_service: auth, proto: grpc, protocol_version: v2}', /spec\.protocol_version: v2 is not in Envoy any more/],
    ['AuthService', '{auth_service: auth, tls: up}', /spec\.tls: there is no usable TLSContext "up"/],
    ['AuthService', '{auth_service: auth, status_on_error: {code: 418}}', /spec\.status_on_error\.code: 418 is no status that Envoy/],
    ['AuthService', '{auth_service: auth, add_auth_headers: {"a b": c}}', /no header name/],
    ['AuthService', '{proto: http}', /spec\.auth_service: is required/],
    ['RateLimitService', '{service: rl, protocol_version: v2}', /v2 is not in Envoy any more/],
    ['LogService', '{service: log, driver: http}', /spec\.grpc: must be true/],
    ['TracingService', '{service: t, driver: lightstep}', /spec\.driver: lightstep is not in Envoy any more/],
    ['TracingService', '{service: t, driver: zipkin, custom_tags: [{tag: a}]}', /custom_tags\[0\]: needs exactly one of/],
    ['TracingService', '{service: t, driver: zipkin, config: {collector_endpoint_version: HTTP_JSON_V1}}', /use HTTP_JSON/],
  ]
  for (const [kind, spec, reason] of bad) {
    const round = new Round()
    round.apply(listener, host, plain, object(kind, 'x', spec))
    t.match(round.status(kind, 'x'), reason, `${kind} ${spec}`)
    t.equal(round.status('Mapping', 'm'), 'accepted')
  }
  const twins = new Round()
  twins.apply(
    listener,
    host,
    object('TracingService', 'a', '{service: t, driver: zipkin}'),
    object('TracingService', 'b', '{service: t, driver: zipkin}'),
  )
  t.match(twins.status('TracingService', 'b'), /TracingService default\/a is there already/)
  t.equal(twins.status('TracingService', 'a'), 'accepted')
  const same = new Round()
  const { table } = same.apply(listener, host, auth('a', ''), object('AuthService', 'b', '{auth_service: other}'))
  t.match(same.notices('AuthService', 'b'), [/is not asked: AuthService default\/a is the same but for auth_service/])
  t.equal(table.http.auth.length, 1)
  t.end()
})
