import t from 'tap'
import type { PoolMember, PoolMode } from '../../../src/model/pool-rule.ts'
import type { PoolEndpoint, PoolView } from '../../../src/table/reader.ts'
import { decodeMessage } from '../../../src/xds/codec.ts'
import { generateAssignment } from '../../../src/xds/generate/assignment.ts'
import { generateGrpcAssignment } from '../../../src/xds/generate/grpc-assignment.ts'
import { type Place, type Resource, tentatively } from '../../../src/xds/resource.ts'
import { endpoint, poolOf, specOf } from './pools.ts'
import { poolMember } from '../../table/pool-member.ts'

/** Endpoints as `level region/zone version`, numbered from 10.0.0.1; the pool prefers zones unless told otherwise. */
function pool(mode: PoolMode, places: readonly string[], preferZone = true): PoolView {
  const levels = new Map<string, number>()
  const given = places.map((text, index) => {
    const [level = '0', place = '/', v = ''] = text.split(' ')
    const [region = '', zone = ''] = place.split('/')
    const address = `10.0.${String(index >> 8)}.${String((index & 255) + 1)}`
    levels.set(address, Number(level))
    return endpoint(`${address}:80`, { locality: { region, zone, subzone: '' }, weight: 1, meta: { v } })
  })
  const { endpoints, ...view } = poolOf({ vm: given })
  const member = (level: number): PoolMember => poolMember(`m${String(level)}`, [view.service], { level })
  const placed = endpoints.map((one): PoolEndpoint => ({ ...one, member: member(levels.get(one.address) ?? 0) }))
  const members = [...new Set(levels.values())].map(member)
  const rule = { service: view.service, mode, members, drainSeconds: 0, ...(preferZone ? { preferZone: true as const } : {}) }
  return { ...view, mode, rule, endpoints: placed }
}

interface Decoded {
  readonly policy?: { readonly overprovisioningFactor?: unknown }
  readonly endpoints?: readonly {
    readonly priority?: number
    readonly lbEndpoints: readonly { readonly endpoint: { readonly address: { readonly socketAddress: { readonly address: string } } } }[]
  }[]
}

/** `priority: last numbers of the addresses`. */
function ranks({ bytes }: Resource): readonly string[] {
  const { endpoints = [] } = decodeMessage('envoy.config.endpoint.v3.ClusterLoadAssignment', bytes) as unknown as Decoded
  const found = new Map<number, string[]>()
  for (const { priority = 0, lbEndpoints } of endpoints)
    found.set(priority, [
      ...(found.get(priority) ?? []),
      ...lbEndpoints.map(one => one.endpoint.address.socketAddress.address.split('.')[3] ?? ''),
    ])
  return [...found].sort(([a], [b]) => a - b).map(([priority, list]) => `${String(priority)}: ${list.sort().join(' ')}`)
}

function at(region: string, zone: string): Place {
  return { region, zone }
}

const everywhere = ['0 r1/a', '0 r1/b', '0 r2/a', '0 r2/c', '0 /a', '0 r1/', '0']

t.test('own zone, own region, the rest; zones of two regions with one name are two, unless a side names no region', async t => {
  const table: readonly (readonly [string, Place, readonly string[]])[] = [
    ['zone and region', at('r1', 'a'), ['0: 1 5', '1: 2 6', '2: 3 4 7']],
    ['the other region', at('r2', 'a'), ['0: 3 5', '1: 4', '2: 1 2 6 7']],
    ['a zone alone', at('', 'a'), ['0: 1 3 5', '1: 2 4 6 7']],
    ['a region alone', at('r2', ''), ['0: 3 4', '1: 1 2 5 6 7']],
    ['a zone that has none', at('r1', 'z'), ['0: 1 2 6', '1: 3 4 5 7']],
    ['a place where nothing is', at('r9', 'z'), ['0: 1 2 3 4 5 6 7']],
  ]
  for (const generate of [generateAssignment, generateGrpcAssignment]) {
    const resource = generate(specOf(), pool('union', everywhere))
    t.same(ranks(resource), ['0: 1 2 3 4 5 6 7'], 'who does not say where it is')
    for (const [name, place, expected] of table) t.same(ranks(resource.forPlace?.(place) ?? resource), expected, name)
  }
})

t.test('the preference counts within each level, without gaps; subsets before levels', async t => {
  const two = ['0 r/a', '0 r/b', '3 r/b', '7 s/c', '7 r/a']
  for (const mode of ['priority', 'failover'] as const) {
    const resource = generateAssignment(specOf(), pool(mode, two))
    t.same(ranks(resource), ['0: 1 2', '1: 3', '2: 4 5'])
    t.same(ranks(resource.forPlace?.(at('r', 'b')) ?? resource), ['0: 2', '1: 1', '2: 3', '3: 5', '4: 4'])
    t.same(ranks(resource.forPlace?.(at('s', 'c')) ?? resource), ['0: 1 2', '1: 3', '2: 4', '3: 5'])
  }
  const versions = ['0 r/a 2', '0 r/b 1', '0 s/c 1', '0 r/b 2', '0 r/a 1']
  const steps = generateAssignment(specOf({ subset: [{ v: '1' }, 'any'] }), pool('union', versions))
  t.same(ranks(steps.forPlace?.(at('r', 'b')) ?? steps), ['0: 2', '1: 5', '2: 3', '3: 4', '4: 1'])
})

t.test('Envoy takes 129 priorities: what does not fit stays together, and nobody is left out', async t => {
  const many = Array.from({ length: 64 }, (_, level) => ['r/a', 'r/b', 's/c'].map(place => `${String(level)} ${place}`)).flat()
  const resource = generateAssignment(specOf(), pool('failover', many))
  const found = ranks(resource.forPlace?.(at('r', 'a')) ?? resource)
  t.equal(found.length, 128, '32 levels of three, 32 of one')
  t.equal(found.flatMap(one => one.split(' ').slice(1)).length, many.length)
})

t.test('one variant per place that matters, none where nobody asked for it', async t => {
  const plain = generateAssignment(specOf(), pool('union', everywhere, false))
  t.equal(plain.forPlace, undefined)
  t.equal(generateAssignment(specOf(), undefined).forPlace, undefined)
  const resource = generateAssignment(specOf(), pool('union', everywhere))
  const { forPlace } = resource
  if (forPlace === undefined) throw new Error('a pool that prefers zones has variants')
  t.equal(plain.version, resource.version, 'who does not say where it is gets what it always got')
  const own = forPlace(at('r1', 'a'))
  t.equal(forPlace(at('r1', 'a')), own, 'made once')
  t.not(own.version, resource.version)
  t.not(own.version, forPlace(at('r2', 'a')).version)
  t.equal(forPlace(at('r1', 'x')), forPlace(at('r1', 'y')), 'unknown zones of a region share one')
  t.equal(forPlace(at('x', 'y')), resource, 'unknown places have the common one')
  t.equal(generateAssignment(specOf(), pool('union', everywhere)).forPlace?.(at('r1', 'a')).version, own.version, 'on every replica')
  const doubtful = tentatively(resource).forPlace?.(at('r1', 'a'))
  t.match(doubtful, { tentative: true, version: own.version })
  const grpc = generateGrpcAssignment(specOf(), pool('union', everywhere))
  t.match(grpc.forPlace?.(at('r1', 'a')), { onDemand: true })
})
