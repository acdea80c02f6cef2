import fc from 'fast-check'
import t from 'tap'
import { type Health, healths, type Presence } from '../../../src/model/health.ts'
import { decodeMessage, encodeMessage, type PlainMessage } from '../../../src/xds/codec.ts'
import { generateAssignment } from '../../../src/xds/generate/assignment.ts'
import { encodeAssignment, type LbEndpoint, type LbLocality } from '../../../src/xds/generate/encode-assignment.ts'
import type { PoolView } from '../../../src/table/reader.ts'
import { socketMetadata } from '../../../src/xds/generate/mesh-sockets.ts'
import { endpoint, poolOf, specOf } from './pools.ts'

const typeName = 'envoy.config.endpoint.v3.ClusterLoadAssignment'
const statusNames = ['UNKNOWN', 'HEALTHY', 'UNHEALTHY', 'DRAINING', 'TIMEOUT', 'DEGRADED']

interface Decoded {
  readonly clusterName?: string
  readonly endpoints?: readonly {
    readonly locality?: object
    readonly priority?: number
    readonly lbEndpoints: readonly {
      readonly endpoint: { readonly address: { readonly socketAddress: { readonly address: string; readonly portValue: number } } }
      readonly healthStatus?: string
      readonly loadBalancingWeight: number
    }[]
  }[]
}

function decoded(pool: PoolView | undefined): Decoded {
  return decodeMessage(typeName, generateAssignment(specOf(), pool).bytes)
}

/** Each locality with its endpoints as `address:port status weight`. */
function table(pool: PoolView | undefined) {
  return (decoded(pool).endpoints ?? []).map(({ locality, lbEndpoints }) => [
    locality ?? {},
    ...lbEndpoints.map(({ endpoint: { address }, healthStatus, loadBalancingWeight }) =>
      [`${address.socketAddress.address}:${address.socketAddress.portValue}`, healthStatus ?? 'UNKNOWN', loadBalancingWeight].join(' '),
    ),
  ])
}

const plainMetadata = { filterMetadata: { 'envoy.transport_socket_match': { fields: { mesh: { stringValue: 'spiffe://x/svc/a' } } } } }

/** The same message for the general encoder. */
function plain(name: string, localities: readonly LbLocality[], overprovisioning: number | undefined): PlainMessage {
  const noDefaults = (record: Record<string, unknown>) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== ''))
  return {
    ...noDefaults({ clusterName: name }),
    ...(overprovisioning === undefined ? {} : { policy: { overprovisioningFactor: { value: overprovisioning } } }),
    endpoints: localities.map(({ locality, priority, weight, endpoints }) => ({
      ...(priority === 0 ? {} : { priority }),
      ...(weight === 0 ? {} : { loadBalancingWeight: { value: weight } }),
      ...(Object.values(locality).every(part => part === '')
        ? {}
        : { locality: noDefaults({ region: locality.region, zone: locality.zone, subZone: locality.subzone }) }),
      lbEndpoints: endpoints.map(({ address, additional, port, status, weight, metadata }) => ({
        endpoint: {
          address: { socketAddress: { address, portValue: port } },
          ...(additional.length === 0
            ? {}
            : { additionalAddresses: additional.map(other => ({ address: { socketAddress: { address: other, portValue: port } } })) }),
        },
        ...(status === 0 ? {} : { healthStatus: statusNames[status] }),
        loadBalancingWeight: { value: weight },
        ...(metadata === undefined ? {} : { metadata: plainMetadata }),
      })),
    })),
  }
}

t.test('the bytes written by hand are those of the general encoder', async t => {
  const endpoints = fc.record<LbEndpoint>({
    address: fc.oneof(fc.ipV4(), fc.ipV6()),
    additional: fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 2 }),
    port: fc.integer({ min: 1, max: 65_535 }),
    status: fc.integer({ min: 0, max: 5 }),
    weight: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 0xffff_ffff })),
    metadata: fc.constantFrom(undefined, socketMetadata({ identity: 'spiffe://x/svc/a', certificate: 'c', validation: 'v' })),
  })
  const part = fc.oneof(fc.constant(''), fc.string({ unit: 'grapheme' }))
  const number = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 0xffff_ffff }))
  const localities = fc.record<LbLocality>({
    priority: number,
    weight: number,
    locality: fc.record({ region: part, zone: part, subzone: part }),
    endpoints: fc.array(endpoints, { minLength: 1, maxLength: 30 }),
  })
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }),
      fc.array(localities, { maxLength: 4 }),
      fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: undefined }),
      (name, all, factor) => encodeAssignment(name, all, factor).equals(encodeMessage(typeName, plain(name, all, factor))),
    ),
  )
  t.pass()
})

t.test('the second address family of an instance is an additional address of its endpoint (discovery.md 1.2)', async t => {
  const pool = poolOf({ cluster: [endpoint('10.0.0.1:80', { additionalAddresses: ['fd00::1'] })] })
  const [one, ...others] = decoded(pool).endpoints?.flatMap(({ lbEndpoints }) => lbEndpoints) ?? []
  t.match(one?.endpoint, {
    address: { socketAddress: { address: '10.0.0.1', portValue: 80 } },
    additionalAddresses: [{ address: { socketAddress: { address: 'fd00::1', portValue: 80 } } }],
  })
  t.same(others, [])
})

t.test('a cluster whose pool nobody knows, or that is empty, has an assignment all the same (xds.md O5)', async t => {
  for (const pool of [undefined, poolOf({}), poolOf({ vm: [endpoint('10.0.0.1:80', { protocol: 'udp' })] })]) {
    const resource = generateAssignment(specOf({ name: 'web-80' }), pool)
    t.match(resource, { type: 'endpoint', name: 'web-80', requires: [] })
    t.same(decodeMessage(typeName, resource.bytes), { clusterName: 'web-80' })
  }
})

t.test('every endpoint is published with its state (discovery.md 1.5)', async t => {
  const states: [Health, Presence, string][] = [
    ['healthy', 'live', 'HEALTHY'],
    ['unknown', 'live', 'UNKNOWN'],
    ['degraded', 'live', 'DEGRADED'],
    ['draining', 'live', 'DRAINING'],
    ['unhealthy', 'live', 'UNHEALTHY'],
    ['healthy', 'suspect', 'HEALTHY'],
    ['degraded', 'suspect', 'DEGRADED'],
  ]
  for (const health of healths) states.push([health, 'expired', 'UNHEALTHY'])
  for (const [health, presence, status] of states) {
    const pool = poolOf({ vm: [endpoint('10.0.0.1:80', { health, presence, weight: 7 })] })
    t.same(table(pool), [[{}, `10.0.0.1:80 ${status} 7`]], `${health}, ${presence}`)
  }
})

t.test('there is one entry per locality, in a canonical order, all at priority 0', async t => {
  const at = (region: string, zone: string, subzone = '') => ({ locality: { region, zone, subzone } })
  const given = [
    endpoint('10.0.0.4:80', at('eu', 'b')),
    endpoint('10.0.0.3:80', at('eu', 'a', 'rack-2')),
    endpoint('10.0.0.9:80'),
    endpoint('10.0.0.2:80', at('eu', 'a', 'rack-1')),
    endpoint('10.0.0.1:80', at('eu', 'b')),
    endpoint('fd00::1:80', at('as', 'z')),
  ]
  const expected = [
    [{}, '10.0.0.9:80 HEALTHY 100'],
    [{ region: 'as', zone: 'z' }, 'fd00::1:80 HEALTHY 100'],
    [{ region: 'eu', zone: 'a', subZone: 'rack-1' }, '10.0.0.2:80 HEALTHY 100'],
    [{ region: 'eu', zone: 'a', subZone: 'rack-2' }, '10.0.0.3:80 HEALTHY 100'],
    [{ region: 'eu', zone: 'b' }, '10.0.0.1:80 HEALTHY 100', '10.0.0.4:80 HEALTHY 100'],
  ]
  t.same(table(poolOf({ vm: given })), expected)
  t.same(table(poolOf({ vm: given.toReversed() })), expected)
  t.ok(decoded(poolOf({ vm: given })).endpoints?.every(one => (one.priority ?? 0) === 0))
})

t.test('equal content has an equal version, whatever the order and the source of what was told', async t => {
  const one = [endpoint('10.0.0.1:80'), endpoint('10.0.0.2:80')]
  const { version } = generateAssignment(specOf(), poolOf({ vm: one }))
  t.equal(generateAssignment(specOf(), poolOf({ consul: one.toReversed() })).version, version)
  const tagged = [endpoint('10.0.0.1:80', { tags: ['v2'], meta: { a: 'b' } }), endpoint('10.0.0.2:80')]
  t.equal(generateAssignment(specOf(), poolOf({ vm: tagged })).version, version, 'tags and meta do not push')
  const drained = [endpoint('10.0.0.1:80', { health: 'draining' }), endpoint('10.0.0.2:80')]
  t.not(generateAssignment(specOf(), poolOf({ vm: drained })).version, version)
})

t.test('weights within a locality never add up to more than Envoy takes, and none becomes 0', async t => {
  const pool = poolOf({
    vm: [
      endpoint('10.0.0.1:80', { weight: 0xffff_ffff }),
      endpoint('10.0.0.2:80', { weight: 0xffff_ffff }),
      endpoint('10.0.0.3:80', { weight: 1 }),
    ],
  })
  const weights = decoded(pool).endpoints?.[0]?.lbEndpoints.map(one => one.loadBalancingWeight) ?? []
  t.same(weights, [2_147_483_645, 2_147_483_645, 1])
  t.ok(weights.reduce((sum, weight) => sum + weight, 0) <= 0xffff_ffff)
})
