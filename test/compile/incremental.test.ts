import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { compile } from '../../src/compile/emissary/compile.ts'
import { CompileMemo } from '../../src/compile/emissary/compile-memo.ts'
import type { CompileInput, CompileResult } from '../../src/compile/emissary/input.ts'
import { parseManifests } from '../../src/manifests/parse.ts'
import { ManifestStore } from '../../src/manifests/store.ts'
import { type ServiceKey, serviceKey } from '../../src/model/service-key.ts'
import { generateStructure } from '../../src/xds/generate/structure.ts'
import { assertSame, host, listener, mapping, object } from './fixtures.ts'

const hostnames = ['a.example', 'b.example', '*.example', '*']

/** What may be said of a Mapping beside its match; some of it is wrong, some only together with others. */
const mappingFields = [
  'service: one',
  'service: two.shop',
  'service: three.far:8080, weight: 40',
  'service: one, weight: 70',
  'service: "https://secure.shop"',
  'service: one, tls: context',
  'service: one, resolver: consul',
  'service: one, resolver: own',
  'service: pool#canary',
  'service: one, bypass_auth: true',
  'service: one, shadow: true',
  'service: other.example, host_redirect: true',
  'service: one, timeout_ms: 5, cors: {origins: ["*"]}',
  'service: one, precedence: 3, case_sensitive: false',
  'service: one, labels: {ambassador: [{one: [{generic_key: {value: x}}]}]}',
  'service: one, error_response_overrides: [{on_status_code: 404, body: {text_format_source: {filename: /body}}}]',
  'service: 7',
]
const mappingSpec = fc
  .tuple(fc.constantFrom(...hostnames), fc.constantFrom('/', '/x/', '/x/y/'), fc.constantFrom(...mappingFields))
  .map(([hostname, prefix, fields]) => `hostname: "${hostname}", prefix: ${prefix}, ${fields}`)

const listenerSpec = (port: number, protocol: string, model: string) =>
  `{port: ${String(port)}, protocol: ${protocol}, securityModel: ${model}, hostBinding: {namespace: {from: ALL}}}`

/** The documents of one object that there may be one after the other. */
const documents: readonly fc.Arbitrary<readonly [string, string]>[] = [
  ...['m1', 'm2', 'm3', 'shop/m4', 'shop/m5'].map(place => mappingSpec.map(spec => [`Mapping ${place}`, mapping(place, spec)] as const)),
  some('Host', 'h1', [
    '{hostname: a.example}',
    '{hostname: a.example, requestPolicy: {insecure: {action: Route}}}',
    '{hostname: a.example, requestPolicy: {insecure: {action: Reject}}}',
    '{hostname: a.example, tlsSecret: {name: cert}}',
    '{hostname: 3}',
  ]),
  some('Host', 'h2', [
    '{hostname: b.example}',
    '{hostname: "*.example", requestPolicy: {insecure: {action: Reject}}}',
    '{hostname: a.example}',
  ]),
  some('Module', 'ambassador', [
    '{config: {}}',
    '{config: {add_linkerd_headers: true, retry_policy: {retry_on: 5xx}}}',
    '{config: {resolver: own}}',
    '{config: {liveness_probe: {enabled: true}, use_ambassador_namespace_for_service_resolution: true}}',
    '{config: {default_labels: {ambassador: {defaults: [remote_address: {key: a}]}}}}',
  ]),
  some('TLSContext', 'context', ['{sni: a}', '{sni: b, ca_secret: missing}', '{secret: cert, hosts: [b.example]}']),
  some('Listener', 'second', [
    listenerSpec(8443, 'HTTPS', 'XFP'),
    listenerSpec(8081, 'HTTP', 'SECURE'),
    listenerSpec(8080, 'HTTP', 'INSECURE'),
  ]),
  some('AuthService', 'auth', ['{auth_service: auth, proto: grpc}', '{auth_service: "auth:9", timeout_ms: 7}', '{auth_service: 3}']),
  some('RateLimitService', 'limits', ['{service: limits}', '{service: limits, domain: other}']),
  some('KubernetesEndpointResolver', 'own', ['{}']),
  some('ServicePool', 'shop/two', ['{members: [{kubernetes: {service: two}}]}']),
  some('ServicePool', 'pool', ['{members: [{kubernetes: {service: one}}], subsets: [{name: canary, labels: {v: "2"}}]}']),
  some('TCPMapping', 'tcp', ['{port: 9000, service: one}', '{port: 8080, service: one}']),
]

function some(kind: string, place: string, specs: readonly string[]): fc.Arbitrary<readonly [string, string]> {
  return fc.constantFrom(...specs).map(spec => [`${kind} ${place}`, object(kind, place, spec)] as const)
}

/** An object is written or goes away, a service becomes known, a file of the machine changes. */
const edit = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(fc.oneof(...documents), fc.nat(4)).map(([[id, text], one]) => ({ id, text: one === 0 ? undefined : text })),
  },
  { weight: 1, arbitrary: fc.constantFrom('default one', 'shop two', 'far three', 'shop secure').map(known => ({ known })) },
  { weight: 1, arbitrary: fc.constantFrom('first', 'second').map(file => ({ file })) },
)

/** Objects in a group each, so that what is not written again stays the same object. */
class World {
  readonly #store = new ManifestStore(['default'])
  readonly #run = this.#store.begin('files')
  readonly #memo = new CompileMemo()
  readonly #known = new Set<ServiceKey>()
  #file = 'first'

  constructor() {
    this.apply({ id: 'Listener http', text: listener })
    this.apply({ id: 'Host any', text: host })
  }

  apply(one: { id: string; text: string | undefined } | { known: string } | { file: string }): void {
    if ('file' in one) this.#file = one.file
    else if ('known' in one) {
      const [namespace = '', name = ''] = one.known.split(' ')
      this.#known.add(serviceKey(namespace, name))
    } else {
      const { objects, problems } = parseManifests(one.text ?? '', { file: `${one.id}.yaml`, namespace: 'default' })
      assert.deepEqual(problems, [])
      this.#run.emit([{ id: one.id, objects, problems }])
    }
  }

  compile(): CompileResult {
    const objects = this.#store.objects()
    const input: CompileInput = {
      objects,
      hostsDeclared: this.#store.hostsDeclared,
      known: { has: key => this.#known.has(key), hasNamespace: namespace => [...this.#known].some(key => key.startsWith(`${namespace}/`)) },
      consulSources: [{ name: 'dc1', address: 'consul:8500', datacenter: 'dc1', namespace: 'default' }],
      readFile: () => ({ text: this.#file }),
    }
    const result = compile(input, this.#memo)
    const fromScratch = compile(input)
    assertSame(result, fromScratch)
    assert.deepEqual(generateStructure(result.table), generateStructure(fromScratch.table))
    this.#store.settle(objects, result)
    return result
  }
}

t.test('what is compiled after any edits is what a compilation from scratch gives, and so are its bytes', t => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 40, maxLength: 60 }), edits => {
      const world = new World()
      for (const one of edits) {
        world.apply(one)
        world.compile()
      }
    }),
    { numRuns: 30 },
  )
  t.end()
})

t.test('what did not change stays the same: routes of other hosts, and clusters', t => {
  const world = new World()
  world.apply({ id: 'Mapping a', text: mapping('a', 'hostname: a.example, prefix: /, service: one') })
  world.apply({ id: 'Mapping b', text: mapping('b', 'hostname: b.example, prefix: /, service: two') })
  world.apply({ id: 'Mapping c', text: mapping('c', 'hostname: b.example, prefix: /c/, service: one') })
  for (const name of ['a', 'b']) world.apply({ id: `Host ${name}`, text: object('Host', name, `{hostname: ${name}.example}`) })
  const parts = ({ table }: CompileResult) => {
    const [config] = table.routeConfigs
    const routes = (domain: string) => config?.virtualHosts.find(({ domains }) => domains.includes(domain))?.routes ?? []
    return { a: routes('a.example'), b: routes('b.example'), clusters: table.clusters }
  }
  const before = parts(world.compile())
  world.apply({ id: 'Mapping c', text: mapping('c', 'hostname: b.example, prefix: /d/, service: one') })
  const after = parts(world.compile())
  t.equal(after.a, before.a, 'the routes of another host')
  t.not(after.b, before.b)
  t.equal(after.b.at(-1), before.b.at(-1), 'another route of the same host')
  t.notSame(after.b, before.b)
  const [one, two] = ['default/one', 'default/two'].map(name => (of: typeof before) => of.clusters.find(cluster => cluster.name === name))
  t.equal(two?.(after), two?.(before), 'a cluster of no changed Mapping')
  t.not(one?.(after), one?.(before))
  t.end()
})

t.test('a group whose split leaves a rest no more changes the splits of those behind it', t => {
  const world = new World()
  const write = (name: string, prefix: string, weight: number) =>
    world.apply({ id: name, text: mapping(name, `hostname: "*", prefix: ${prefix}, service: ${name}, weight: ${String(weight)}`) })
  const fractions = ({ table }: CompileResult) => table.routeConfigs[0]?.virtualHosts[0]?.routes.map(({ match }) => match.percentOf)
  for (const name of ['a', 'b']) write(name, '/longer/', 30)
  for (const name of ['c', 'd']) write(name, '/', 30)
  t.same(fractions(world.compile()), [100, 100, 10_000, 10_000])
  write('a', '/longer/', 70)
  t.same(fractions(world.compile()), [100, undefined, 100, 100])
  t.end()
})
