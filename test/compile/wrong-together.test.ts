import t from 'tap'
import { apiOf, isServedKind, type ServedKind } from '../../src/manifests/kinds.ts'
import { host, listener, mapping, object, Round } from './fixtures.ts'

/** A spec that is right by itself, and how its status begins or what one of its notices says. */
type Case = readonly [spec: string, says: RegExp]

const mappingSpec = (more: string): string => `{hostname: "*", prefix: /x/, service: web, ${more}}`
const breakers = 'circuit_breakers: [{priority: high}, {priority: high}]'

/** Every kind with what it can refer to and cannot find, and with words that do not go together. */
const cases: Readonly<Record<ServedKind, readonly Case[]>> = {
  Mapping: [
    [mappingSpec('resolver: nobody'), /^refused spec\.resolver: .*nobody/],
    [mappingSpec('tls: nobody'), /^refused spec\.tls: .*nobody/],
    [mappingSpec('labels: {nobody: [{a: [{generic_key: {value: x}}]}]}'), /there is no RateLimitService of the domain nobody/],
    [mappingSpec(breakers), /^refused spec\.circuit_breakers\[1\]\.priority: high stands twice/],
    [mappingSpec('shadow: true'), /^refused spec\.shadow: /],
    [mappingSpec('prefix_regex: true, regex_redirect: {pattern: "("}, host_redirect: true'), /^refused spec\.regex_redirect\.pattern: /],
    [`{hostname: "*", prefix: "/((a+)+)+$", prefix_regex: true, service: web, rewrite: ""}`, /^accepted/],
    [`{hostname: "*", prefix: "/(a{1000}){1000}", prefix_regex: true, service: web}`, /^refused spec\.prefix: /],
    [`{hostname: "*", prefix: "/${'x'.repeat(4999)}", service: web}`, /^accepted$/],
  ],
  TCPMapping: [
    ['{port: 9000, service: db, resolver: nobody}', /^refused spec\.resolver: .*nobody/],
    ['{port: 9000, service: db, tls: nobody}', /^refused spec\.tls: .*nobody/],
    ['{port: 9000, service: db, host: nobody.example}', /^refused spec\.host: no Host with a certificate takes nobody\.example/],
    [`{port: 9000, service: db, ${breakers}}`, /^refused spec\.circuit_breakers\[1\]\.priority: /],
  ],
  Host: [
    ['{hostname: a.example, tlsSecret: {name: nobody}}', /nobody/],
    ['{hostname: a.example, tlsContext: {name: nobody}}', /nobody/],
    ['{hostname: a.example, tls: {}, tlsContext: {name: nobody}}', /^refused spec\.tls: /],
  ],
  Listener: [
    ['{port: 8080, protocol: HTTP, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}', /^refused spec\.port: .*default\/http/],
    [
      '{port: 81, protocolStack: [HTTP, UDP, TCP], securityModel: XFP, hostBinding: {namespace: {from: ALL}}}',
      /^refused spec\.protocolStack/,
    ],
    ['{port: 81, protocol: HTTP, securityModel: XFP, hostBinding: {selector: {matchLabels: {no: body}}}}', /no Host/],
  ],
  TLSContext: [
    ['{hosts: [a.example], secret: nobody}', /nobody/],
    ['{secret: a, cert_chain_file: /c, private_key_file: /k}', /^refused spec\./],
    ['{min_tls_version: v1.3, max_tls_version: v1.2}', /^refused spec\./],
  ],
  // What stands in a Secret: tls.test.ts.
  Secret: [],
  Module: [
    ['{config: {resolver: nobody}}', /^refused spec\.config\.resolver: .*nobody/],
    ['{config: {default_labels: {nobody: {defaults: [{remote_address: {}}]}}}}', /nobody/],
    ['{config: {ip_allow: [{peer: 10.0.0.0/8}], ip_deny: [{peer: 10.0.0.0/8}]}}', /^refused spec\.config\.ip_/],
  ],
  AuthService: [
    ['{auth_service: auth, tls: nobody}', /^refused spec\.tls: .*nobody/],
    ['{auth_service: auth, proto: grpc, protocol_version: v2}', /^refused spec\.protocol_version: /],
    [`{auth_service: auth, ${breakers}}`, /^refused spec\.circuit_breakers\[1\]\.priority: /],
  ],
  RateLimitService: [
    ['{service: limits, tls: nobody}', /^refused spec\.tls: .*nobody/],
    ['{service: limits, protocol_version: v2}', /^refused spec\.protocol_version: /],
  ],
  LogService: [
    ['{service: log, driver: http, grpc: true, tls: nobody}', /^refused spec\.tls: .*nobody/],
    ['{service: log, driver: http, grpc: false}', /^refused spec\.grpc: must be true/],
  ],
  TracingService: [
    ['{service: z, driver: zipkin, tls: nobody}', /^refused spec\.tls: .*nobody/],
    ['{service: z, driver: lightstep}', /^refused spec\.driver: /],
    [
      '{service: z, driver: zipkin, custom_tags: [{tag: a, literal: {value: b}, environment: {name: c}}]}',
      /^refused spec\.custom_tags\[0\]: /,
    ],
  ],
  ConsulResolver: [['{address: "ftp://consul:1", datacenter: dc1}', /^refused spec\.address: /]],
  // They refer to nothing, and have no words that could disagree.
  KubernetesServiceResolver: [],
  KubernetesEndpointResolver: [],
  // Also in ingress.test.ts.
  Ingress: [
    ['{ingressClassName: ambassador, tls: [{hosts: [a.example], secretName: nobody}]}', /nobody/],
    [
      '{ingressClassName: ambassador, defaultBackend: {service: {name: web, port: {number: 80, name: http}}}}',
      /^refused spec\.defaultBackend\.service\.port: /,
    ],
  ],
  IngressClass: [],
  ServicePool: [
    ['{members: [{consul: {service: a, source: nobody}}]}', /^refused spec\.members\[0\]\.consul\.source: .*nobody/],
    ['{members: [{consul: {service: a}, vm: {service: a}}]}', /^refused spec\.members\[0\]/],
    ['{members: []}', /^refused spec\.members/],
  ],
}

for (const [kind, of] of Object.entries(cases))
  for (const [spec, says] of of)
    t.test(`${kind} ${spec.slice(0, 100)}`, async t => {
      const name = kind === 'Module' ? 'ambassador' : 'wrong'
      const round = new Round({ sources: [{ name: 'dc1', type: 'consul', namespace: 'default', datacenter: undefined }] })
      round.apply(
        listener,
        host,
        mapping('neighbour', 'hostname: "*", prefix: /neighbour/, service: web'),
        object(kind, name, spec).replace(/^apiVersion: .*/, `apiVersion: ${isServedKind(kind) ? apiOf(kind) : ''}`),
      )

      t.match([round.status(kind, name), ...round.notices(kind, name)].find(text => says.test(text)) ?? round.status(kind, name), says)
      t.equal(round.status('Mapping', 'neighbour'), 'accepted', 'the rest is served')
    })
