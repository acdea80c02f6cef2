import fc from 'fast-check'
import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { type Contribution, mergePool } from '../../src/table/merge.ts'

const web = serviceKey('shop', 'web')

function group(id: string, ...endpoints: Parameters<typeof makeEndpoint>[0][]): EndpointGroup {
  return { id, service: web, endpoints: endpoints.map(makeEndpoint) }
}

t.test('one address and port from two sources is one endpoint with two evidences, weights never summed (discovery.md 1.2)', async t => {
  const view = mergePool(
    web,
    [
      { source: 'dc1', sourceType: 'consul', groups: [group('web', { address: '10.0.0.1', port: 80, id: 'n1', weight: 100 })] },
      { source: 'vms', sourceType: 'vm', groups: [group('a', { address: '10.0.0.1', port: 80, id: 'a', weight: 50 })] },
    ],
    undefined,
  )
  t.equal(view.endpoints.length, 1)
  const [endpoint] = view.endpoints
  t.equal(endpoint?.weight, 50, 'the agent decides: vm > kubernetes > consul')
  t.same(
    endpoint?.evidence.map(evidence => evidence.source),
    ['vms', 'dc1'],
  )
  t.same(view.sources, ['dc1', 'vms'])
})

t.test('draining seen by any source wins; live evidence decides over stale (discovery.md 1.2 a, c)', async t => {
  const at = { address: '10.0.0.1', port: 80 }
  const draining = mergePool(
    web,
    [
      { source: 'vms', sourceType: 'vm', groups: [group('a', { ...at, id: 'a' })] },
      {
        source: 'dc1',
        sourceType: 'consul',
        groups: [group('web', { ...at, id: 'n', health: 'draining', reasons: [{ code: 'maintenance', text: 'm' }] })],
      },
    ],
    undefined,
  ).endpoints[0]
  t.equal(draining?.health, 'draining')
  t.same(
    draining?.reasons.map(reason => reason.code),
    ['maintenance', 'draining-wins', 'merged'],
  )
  const stale = mergePool(
    web,
    [
      { source: 'vms', sourceType: 'vm', groups: [group('a', { ...at, id: 'a', presence: 'expired', health: 'unhealthy' })] },
      { source: 'dc1', sourceType: 'consul', groups: [group('web', { ...at, id: 'n' })] },
    ],
    undefined,
  ).endpoints[0]
  t.equal(stale?.winner.source, 'dc1')
  t.equal(stale?.health, 'healthy')
})

const endpointArbitrary = fc.record({
  address: fc.integer({ min: 1, max: 6 }).map(n => `10.0.0.${String(n)}`),
  port: fc.constantFrom(80, 8080),
  id: fc.constantFrom('i1', 'i2', 'i3'),
  weight: fc.integer({ min: 1, max: 200 }),
  health: fc.constantFrom('healthy' as const, 'draining' as const, 'unhealthy' as const, 'unknown' as const),
  presence: fc.constantFrom('live' as const, 'suspect' as const, 'expired' as const),
})

const contributionsArbitrary = fc.uniqueArray(
  fc.record({
    source: fc.constantFrom('a', 'b', 'c'),
    sourceType: fc.constantFrom('vm', 'consul', 'file', 'mine'),
    groups: fc.uniqueArray(
      fc.record({
        id: fc.constantFrom('g1', 'g2', 'g3'),
        service: fc.constant(web),
        endpoints: fc.uniqueArray(endpointArbitrary.map(makeEndpoint), { maxLength: 4, selector: e => `${e.address}:${String(e.port)}` }),
      }),
      { selector: g => g.id },
    ),
  }),
  { selector: c => c.source },
)

t.test('merge is independent of arrival order, idempotent, and loses nothing', async t => {
  fc.assert(
    fc.property(contributionsArbitrary, fc.infiniteStream(fc.nat()), (contributions: Contribution[], order) => {
      const one = mergePool(web, contributions, undefined)
      const shuffled = contributions
        .map(c => ({ c: { ...c, groups: [...c.groups].reverse() }, at: order.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ c }) => c)
      t.same(mergePool(web, shuffled, undefined), one)
      t.equal(mergePool(web, shuffled, one), one, 'an equal result is the same object')
      const told = new Set(contributions.flatMap(c => [...c.groups].flatMap(g => g.endpoints.map(e => `${e.address}:${String(e.port)}`))))
      t.same(new Set(one.endpoints.map(e => `${e.address}:${String(e.port)}`)), told)
    }),
    { numRuns: 200 },
  )
})
