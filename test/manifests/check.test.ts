import t from 'tap'
import { checkManifest } from '../../src/manifests/check.ts'
import { parseManifests } from '../../src/manifests/parse.ts'
import { kindSchema, schemaKinds, servedSchemas } from '../../src/manifests/kinds.ts'

function check(kind: string, spec: string, apiVersion = 'getambassador.io/v3alpha1') {
  const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\nspec:\n${spec.replace(/^/gm, '  ')}\n`
  const { objects, problems } = parseManifests(text, { file: 'f.yaml', namespace: 'default' })
  const [manifest] = objects
  if (manifest === undefined) throw new Error(`fixture: ${problems[0]?.text ?? ''}`)
  return checkManifest(manifest, ['default', 'edge'])
}

const ok = 'prefix: /\nservice: web\n'
const listener = 'port: 80\nprotocol: HTTP\nsecurityModel: XFP\nhostBinding: {namespace: {from: ALL}}\n'

t.test('a field that is wrong refuses its object, with path, line and what to do', async t => {
  const bad: readonly (readonly [string, string, string, RegExp])[] = [
    ['Mapping', 'service: web', 'spec.prefix', /is required/],
    ['Mapping', 'prefix: /', 'spec.service', /is required/],
    ['Mapping', 'prefix: ""\nservice: web', 'spec.prefix', /must not be empty/],
    ['Mapping', `${ok}prefx: /`, 'spec.prefx', /unknown field: did you mean "prefix"/],
    ['Mapping', `${ok}zzzzzzzz: /`, 'spec.zzzzzzzz', /unknown field; remove it/],
    ['Mapping', `${ok}weight: "50"`, 'spec.weight', /expected a whole number from 0 to 100, got the text "50"; remove the quotes/],
    ['Mapping', `${ok}weight: 101`, 'spec.weight', /from 0 to 100, got the number 101/],
    ['Mapping', `${ok}weight: -1`, 'spec.weight', /got the number -1/],
    ['Mapping', `${ok}weight: 1.5`, 'spec.weight', /got the number 1.5/],
    ['Mapping', `${ok}timeout_ms: 3s`, 'spec.timeout_ms', /expected a whole number/],
    ['Mapping', `${ok}prefix_regex: yes`, 'spec.prefix_regex', /expected true or false, got the text "yes"/],
    ['Mapping', `${ok}prefix_regex: "true"`, 'spec.prefix_regex', /remove the quotes/],
    ['Mapping', `${ok}headers: {x-a: true}`, 'spec.headers.x-a', /expected text, got the boolean true; put it in quotes/],
    ['Mapping', `${ok}headers: {"x a": b}`, 'spec.headers.x a', /no header name/],
    ['Mapping', `${ok}headers: [x-a]`, 'spec.headers', /expected a mapping, got a list/],
    ['Mapping', `${ok}regex_headers: {x-a: "(?=x)"}`, 'spec.regex_headers.x-a', /RE2/],
    ['Mapping', `${ok}regex_query_parameters: {q: "("}`, 'spec.regex_query_parameters.q', /missing closing \)/],
    ['Mapping', 'prefix: "/a(b"\nprefix_regex: true\nservice: web', 'spec.prefix', /missing closing \)/],
    ['Mapping', `${ok}method: "(GET"\nmethod_regex: true`, 'spec.method', /RE2/],
    ['Mapping', `${ok}hostname: "a.*.b"`, 'spec.hostname', /whole first or last label/],
    ['Mapping', `${ok}hostname: "*x.example.com"`, 'spec.hostname', /whole first or last label/],
    ['Mapping', `${ok}hostname: "*.example.*"`, 'spec.hostname', /two wildcards/],
    ['Mapping', `${ok}hostname: "http://a"`, 'spec.hostname', /no host name/],
    ['Mapping', `${ok}host: "(a"\nhost_regex: true`, 'spec.host', /RE2/],
    ['Mapping', `${ok}rewrite: "a\\nb"`, 'spec.rewrite', /control characters/],
    ['Mapping', `${ok}tls: 7`, 'spec.tls', /./],
    ['TCPMapping', 'port: 9000\nservice: a\nenable_ipv4: false', 'spec.enable_ipv4', /no address is left/],
    ['Mapping', `${ok}load_balancer: {policy: random}`, 'spec.load_balancer.policy', /one of round_robin/],
    ['Mapping', `${ok}load_balancer: {policy: round_robin, header: x}`, 'spec.load_balancer.header', /no meaning with policy round_robin/],
    ['Mapping', `${ok}load_balancer: {policy: maglev}`, 'spec.load_balancer', /exactly one of cookie, header and source_ip, got 0/],
    ['Mapping', `${ok}load_balancer: {policy: maglev, header: x, source_ip: true}`, 'spec.load_balancer', /got 2/],
    ['Mapping', `${ok}load_balancer: {policy: ring_hash, cookie: {}}`, 'spec.load_balancer.cookie.name', /is required/],
    [
      'Mapping',
      `${ok}load_balancer: {policy: ring_hash, cookie: {name: c, ttl: 5}}`,
      'spec.load_balancer.cookie.ttl',
      /a duration such as/,
    ],
    ['Mapping', `${ok}circuit_breakers: [{priority: low}]`, 'spec.circuit_breakers[0].priority', /one of default, high/],
    ['Mapping', `${ok}outlier_detection: '{"consecutive5xx": 5}'`, 'spec.outlier_detection', /did you mean "consecutive_5xx"/],
    ['Mapping', `${ok}outlier_detection: '{"interval": 5}'`, 'spec.outlier_detection', /interval must be a duration such as "30s", got 5/],
    ['Mapping', `${ok}outlier_detection: 'on'`, 'spec.outlier_detection', /must be a JSON object/],
    ['Mapping', `${ok}health_checks: [{health_check: {}}]`, 'spec.health_checks[0].health_check', /needs http or grpc/],
    [
      'Mapping',
      `${ok}health_checks: [{health_check: {http: {path: a}}}]`,
      'spec.health_checks[0].health_check.http.path',
      /must start with/,
    ],
    ['Mapping', `${ok}regex_rewrite: {pattern: "("}`, 'spec.regex_rewrite.pattern', /RE2/],
    ['Mapping', `${ok}host_redirect: true\npath_redirect: /a\nprefix_redirect: /b`, 'spec.prefix_redirect', /give one of/],
    ['Mapping', `${ok}add_request_headers: {Host: {value: a}}`, 'spec.add_request_headers.Host', /use host_rewrite/],
    ['Mapping', `${ok}remove_request_headers: ["a b"]`, 'spec.remove_request_headers[0]', /no header name/],
    ['Mapping', `${ok}redirect_response_code: 304`, 'spec.redirect_response_code', /301 or 302 or 303 or 307 or 308, got the number 304/],
    ['Mapping', `${ok}ambassador_id: default`, 'spec.ambassador_id', /write it as a list/],
    ['Listener', listener.replace('port: 80', 'port: 0'), 'spec.port', /from 1 to 65535, got the number 0/],
    ['Listener', listener.replace('port: 80', 'port: 65536'), 'spec.port', /from 1 to 65535/],
    ['Listener', listener.replace('protocol: HTTP\n', ''), 'spec.protocol', /is required/],
    ['Listener', `${listener}protocolStack: [HTTP, TCP]`, 'spec.protocolStack', /not both/],
    ['Listener', listener.replace('protocol: HTTP\n', 'protocolStack: [TLS, HTTP]\n'), 'spec.protocolStack', /must end with TCP or UDP/],
    ['Listener', listener.replace('protocol: HTTP\n', 'protocolStack: [UDP]\n'), 'spec.protocolStack', /UDP needs HTTP/],
    [
      'Listener',
      listener.replace('protocol: HTTP\n', 'protocolStack: [PROXY, TLS, HTTP, UDP]\n'),
      'spec.protocolStack',
      /PROXY comes by TCP/,
    ],
    ['Listener', listener.replace('protocol: HTTP', 'protocol: http'), 'spec.protocol', /did you mean "HTTP"/],
    ['Listener', listener.replace('securityModel: XFP\n', ''), 'spec.securityModel', /one of XFP, SECURE, INSECURE/],
    ['Listener', listener.replace(/hostBinding.*/, 'hostBinding: {}'), 'spec.hostBinding', /needs namespace or selector/],
    ['Listener', listener.replace('ALL', 'SELECTOR'), 'spec.hostBinding.namespace.from', /use SELF or ALL/],
    ['Host', 'hostname: "a b"', 'spec.hostname', /no host name/],
    ['Host', 'requestPolicy: {insecure: {action: Drop}}', 'spec.requestPolicy.insecure.action', /Redirect, Reject, Route/],
    ['Host', 'tls: {}\ntlsContext: {name: a}', 'spec.tls', /not both/],
    [
      'Host',
      'mappingSelector: {matchExpressions: [{key: a, operator: In}]}',
      'spec.mappingSelector.matchExpressions[0].values',
      /at least one value/,
    ],
    ['ConsulResolver', 'datacenter: dc1', 'spec.address', /is required/],
    ['KubernetesEndpointResolver', 'address: x', 'spec.address', /unknown field/],
    ['Maping', ok, 'kind', /has no kind Maping; did you mean "Mapping"/],
  ]
  for (const [kind, spec, path, text] of bad) {
    const { status, object } = check(kind, spec)
    t.match(status, { state: 'refused', problems: [{ path, text, at: /^f\.yaml:\d+$/ }] }, `${kind}: ${path}`)
    t.equal(object, undefined, `${kind}: ${path} is not compiled`)
  }
})

t.test('every wrong field is reported at once, on its own line', async t => {
  const { status } = check('Mapping', 'prefix: 5\nservice: web\nnope: 1\nweight: x')
  t.same(
    status.problems.map(problem => `${problem.at} ${problem.path}`),
    ['f.yaml:5 spec.prefix', 'f.yaml:7 spec.nope', 'f.yaml:8 spec.weight'],
  )
})

t.test('fields without effect are accepted and named with the reason, fields named v2* are nothing', async t => {
  const table: readonly (readonly [string, string, readonly string[]])[] = [
    ['Mapping', `${ok}docs: {path: /}\nenvoy_override: {a: 1}\nmodules: []\nv2Whatever: 1`, ['docs', 'envoy_override', 'modules']],
    [
      'Host',
      'acmeProvider: {email: a}\npreviewUrl: {enabled: true}\nrequestPolicy: {insecure: {additionalPort: 8080}}\ntls: {sni: a, redirect_cleartext_from: 80}',
      ['acmeProvider', 'previewUrl', 'requestPolicy.insecure.additionalPort', 'tls.sni', 'tls.redirect_cleartext_from'],
    ],
    ['TLSContext', 'redirect_cleartext_from: 80', ['redirect_cleartext_from']],
    [
      'TracingService',
      'driver: zipkin\nservice: z\nconfig: {access_token_file: /t, collector_cluster: c, propagation_modes: [B3]}',
      ['config.access_token_file', 'config.collector_cluster', 'config.propagation_modes'],
    ],
  ]
  for (const [kind, spec, fields] of table) {
    const { status } = check(kind, spec)
    t.match(status, { state: 'accepted', problems: [] }, kind)
    t.same(
      status.notices.map(notice => notice.split(' has no effect: ')[0]),
      fields.map(field => `spec.${field}`),
    )
    t.ok(status.notices.every(notice => /has no effect: \w+/.test(notice)))
  }
})

t.test('kinds and versions: known and without effect, foreign, old', async t => {
  t.match(check('DevPortal', 'anything: 1').status, { state: 'ignored', notices: [/^DevPortal has no effect: /] })
  t.match(check('ServicePool', 'members: [{vm: {service: a}}]', 'isthmus.dev/v1alpha1').status, { state: 'accepted' })
  t.match(check('Deployment', 'replicas: 1', 'apps/v1').status, { state: 'ignored', notices: ['objects of apps/v1 are not read'] })
  t.match(check('Mapping', ok, 'getambassador.io/v2').status, {
    state: 'refused',
    problems: [{ path: 'apiVersion', text: /convert the object/ }],
  })
})

t.test('ambassador_id: ours, everybody’s, somebody else’s', async t => {
  t.equal(check('Mapping', `${ok}ambassador_id: [other, edge]`).status.state, 'accepted')
  t.equal(check('Mapping', `${ok}ambassador_id: [_automatic_]`).status.state, 'accepted')
  t.match(check('Mapping', `${ok}ambassador_id: [other]`).status, { state: 'ignored', notices: [/is for the gateway other/] })
})

t.test('notices say what has no effect', async t => {
  t.match(check('Mapping', 'prefix: /a.*\nprefix_regex: true\nservice: web').status.notices, [/replaces the whole path/])
  t.match(check('Mapping', 'prefix: a\nservice: web').status.notices, [/no request can match/])
  t.match(check('LogService', 'driver: tcp\nservice: l\ngrpc: true\ndriver_config: {additional_log_headers: []}').status, {
    notices: [/additional_log_headers has no effect with driver tcp/],
  })
})

t.test('the schemas use only keywords that the check knows', async t => {
  const known = new Set(
    'type enum const anyOf properties required patternProperties items minItems minLength minimum maximum pattern description additionalProperties x-isthmus-no-effect'.split(
      ' ',
    ),
  )
  const walk = (node: unknown, path: string, names: boolean): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (!names && !Array.isArray(node)) t.ok(known.has(key), `${path}.${key}`)
      if (['enum', 'required', 'const'].includes(key) && !names) continue
      walk(value, `${path}.${key}`, (key === 'properties' || key === 'patternProperties') && !names)
    }
  }
  for (const [kind, schema] of Object.entries(servedSchemas)) walk(schema, kind, false)
  t.match(kindSchema('mapping'), { title: 'Mapping', properties: { spec: { required: ['prefix', 'service'] } } })
  t.equal(kindSchema('Nothing'), undefined)
  t.ok(schemaKinds.includes('Listener'))
})
