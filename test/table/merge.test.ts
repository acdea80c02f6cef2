import fc from 'fast-check'
import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { mergePool } from '../../src/table/merge.ts'
import type { PoolView } from '../../src/table/reader.ts'
import { trustOrder } from '../../src/table/trust.ts'

const web = serviceKey('shop', 'web')
const usual = trustOrder([], () => false)

/** What one source says of the service. */
interface Contribution {
  readonly source: string
  readonly sourceType: string
  readonly groups: readonly EndpointGroup[]
}

/** Merges everything at once, or on top of a former view that came from `before`. */
function merge(now: readonly Contribution[], former?: PoolView, before: readonly Contribution[] = []): PoolView {
  const changes = new Map<string, Parameters<typeof mergePool>[2][number]>()
  for (const { source, sourceType, groups } of before)
    for (const group of groups) changes.set(`${source} ${group.id}`, { source, sourceType, before: group, after: undefined })
  for (const { source, sourceType, groups } of now)
    for (const group of groups) {
      const old = changes.get(`${source} ${group.id}`)?.before
      changes.set(`${source} ${group.id}`, { source, sourceType, before: old, after: group })
    }
  const sources = now.map(contribution => contribution.source).sort()
  return mergePool(web, former, [...changes.values()], sources, usual)
}

function group(id: string, ...endpoints: Parameters<typeof makeEndpoint>[0][]): EndpointGroup {
  return { id, service: web, endpoints: endpoints.map(makeEndpoint) }
}

t.test('one address and port from two sources is one endpoint with two evidences, weights never summed (discovery.md 1.2)', async t => {
  const view = merge([
    { source: 'dc1', sourceType: 'consul', groups: [group('web', { address: '10.0.0.1', port: 80, id: 'n1', weight: 100 })] },
    { source: 'vms', sourceType: 'vm', groups: [group('a', { address: '10.0.0.1', port: 80, id: 'a', weight: 50 })] },
  ])
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
  const draining = merge([
    { source: 'vms', sourceType: 'vm', groups: [group('a', { ...at, id: 'a' })] },
    {
      source: 'dc1',
      sourceType: 'consul',
      groups: [group('web', { ...at, id: 'n', health: 'draining', reasons: [{ code: 'maintenance', text: 'm' }] })],
    },
  ]).endpoints[0]
  t.equal(draining?.health, 'draining')
  t.same(
    draining?.reasons.map(reason => reason.code),
    ['maintenance', 'draining-wins', 'merged'],
  )
  const stale = merge([
    { source: 'vms', sourceType: 'vm', groups: [group('a', { ...at, id: 'a', presence: 'expired', health: 'unhealthy' })] },
    { source: 'dc1', sourceType: 'consul', groups: [group('web', { ...at, id: 'n' })] },
  ]).endpoints[0]
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
    fc.property(contributionsArbitrary, fc.infiniteStream(fc.nat()), (contributions, order) => {
      const one = merge(contributions)
      const shuffled = contributions
        .map(c => ({ c: { ...c, groups: [...c.groups].reverse() }, at: order.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ c }) => c)
      t.same(merge(shuffled), one)
      t.equal(merge(shuffled, one, contributions), one, 'an equal result is the same object')
      const told = new Set(contributions.flatMap(c => c.groups.flatMap(g => g.endpoints.map(e => `${e.address}:${String(e.port)}`))))
      t.same(new Set(one.endpoints.map(e => `${e.address}:${String(e.port)}`)), told)
    }),
    { numRuns: 200 },
  )
})

t.test('a merge on top of a former view equals a merge from nothing, and keeps what did not change', async t => {
  fc.assert(
    fc.property(contributionsArbitrary, contributionsArbitrary, (before, other) => {
      // One source says something else, the others what they said.
      const now = [...before.filter(one => one.source !== other[0]?.source), ...other.slice(0, 1)]
      const former = merge(before)
      const stepped = merge(now, former, before)
      const fresh = merge(now)
      t.same(stepped, fresh)
      for (const [index, endpoint] of stepped.endpoints.entries()) {
        const old = former.endpoints.find(one => one.address === endpoint.address && one.port === endpoint.port)
        if (old !== undefined && JSON.stringify(old) === JSON.stringify(fresh.endpoints[index])) t.equal(endpoint, old)
      }
    }),
    { numRuns: 200 },
  )
})

t.test('IPv4 and IPv6 of one instance are one endpoint, whichever source knows which (discovery.md 1.2)', async t => {
  const table = new EndpointTable(() => undefined)
  const says = (name: string, type: string, ...endpoints: Parameters<typeof makeEndpoint>[0][]) => {
    table.apply({ name, type }, [group(name, ...endpoints)], 0)
    return (table.pool(web)?.endpoints ?? []).map(one => [one.address, ...one.additionalAddresses].join('+'))
  }
  const [four, six] = [
    { address: '10.0.0.1', port: 80, id: 'a' },
    { address: 'fd00::1', port: 80, id: 'a' },
  ]
  t.same(says('dc1', 'consul', six), ['fd00::1'])
  t.same(says('dc1', 'consul', six, four), ['10.0.0.1+fd00::1'], 'the same instance of one source')
  t.equal(table.pool(web)?.endpoints[0]?.evidence.length, 2)
  const before = table.pool(web)
  t.same(says('dc1', 'consul', four, six), ['10.0.0.1+fd00::1'])
  t.equal(table.pool(web), before, 'the same object while nothing changes')
  t.same(says('dc1', 'consul', four, { ...six, port: 81 }), ['10.0.0.1', 'fd00::1'], 'another port is another endpoint')
  t.same(says('dc1', 'consul', four, { ...six, id: 'b' }), ['10.0.0.1', 'fd00::1'], 'another instance is another endpoint')
  t.same(says('dc1', 'consul', { ...six, id: 'n1' }), ['fd00::1'])
  t.same(
    says('k', 'kubernetes', { ...four, additionalAddresses: ['fd00::1'] }),
    ['10.0.0.1+fd00::1'],
    'one source names both, the other one',
  )
  t.equal(table.pool(web)?.endpoints[0]?.winner.source, 'k')
  t.same(says('k', 'kubernetes'), ['fd00::1'], 'and apart again')
})

t.test(
  'the declared order of trust is by name or type; what was not read of late decides only where nobody else knows (1.2 b, c)',
  async t => {
    const winner = (trust: readonly string[], ...stale: readonly string[]) => {
      const table = new EndpointTable(() => undefined, { now: () => 0, after: () => () => undefined, trust })
      for (const [name, type] of [
        ['dc1', 'consul'],
        ['dc2', 'consul'],
        ['k', 'kubernetes'],
      ] as const)
        table.apply({ name, type }, [group(name, { address: '10.0.0.1', port: 80, id: name })], 0)
      table.settle()
      const changes: number[] = []
      table.onChange(change => changes.push(change.pools.length))
      for (const source of stale) table.setStale(source, true, 0)
      const [decided] = table.pool(web)?.endpoints ?? []
      // Back again: nothing of it stays.
      for (const source of stale) table.setStale(source, false, 0)
      t.equal(table.pool(web)?.endpoints[0]?.winner.source, decideOf(trust))
      return decided?.winner.source
    }
    const decideOf = (trust: readonly string[]) => (trust.includes('dc2') ? 'dc2' : trust.includes('consul') ? 'dc1' : 'k')
    t.equal(winner([]), 'k')
    t.equal(winner(['consul']), 'dc1')
    t.equal(winner(['dc2', 'kubernetes']), 'dc2')
    t.equal(winner([], 'k'), 'dc1')
    t.equal(winner([], 'k', 'dc1'), 'dc2')
    t.equal(winner([], 'k', 'dc1', 'dc2'), 'k', 'all are stale: the declared order')
    t.equal(winner(['dc2'], 'dc2'), 'k')
  },
)
