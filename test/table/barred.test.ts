import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import { held } from '../../src/model/held.ts'
import type { Override } from '../../src/model/override.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { findConflicts } from '../../src/table/conflicts.ts'
import { EndpointTable, type TableGiven } from '../../src/table/endpoint-table.ts'
import { poolMember } from './pool-member.ts'

/** Endpoints that are not what their sources take them for (reference/discovery.md 1.2, 1.3). */
const [web, api, pool] = [serviceKey('shop', 'web'), serviceKey('shop', 'api'), serviceKey('shop', 'all')]
const k8s = { name: 'k', type: 'kubernetes' }
const timeless: TableGiven = { now: () => 0, after: () => () => undefined }

function one(id: string, change: Partial<Parameters<typeof makeEndpoint>[0]> = {}) {
  return makeEndpoint({ address: '10.0.0.1', port: 80, id, ...change })
}

function lines(table: EndpointTable, service: typeof web) {
  return table.pool(service)?.endpoints.map(each => [each.winner.endpoint.id, ...(each.excluded === true ? ['out'] : [])].join(' '))
}

t.test('an address that its source gave to another service is no longer that of the instance it does not vouch for', async t => {
  const table = new EndpointTable(() => undefined, timeless)
  const put = (service: typeof web, ...endpoints: ReturnType<typeof one>[]) => table.apply(k8s, [{ id: service, service, endpoints }], 0)
  put(web, one('web-1'), one('web-2', { address: '10.0.0.2' }))
  table.follow([{ service: pool, mode: 'union', members: [poolMember('m', [web])], drainSeconds: 0 }], 0)
  table.settle()
  const gone = held(one('web-1'), 'guard', 'k named it before')
  // A re-list: the guard holds what is missing, and in the same breath the address is another pod's.
  put(api, one('api-1'))
  put(web, gone, one('web-2', { address: '10.0.0.2' }))
  t.same(lines(table, web), ['web-1 out', 'web-2'])
  t.same(lines(table, api), ['api-1'])
  t.same(lines(table, pool), ['web-1 out', 'web-2'], 'nor does a ServicePool take it')
  t.match(table.pool(web)?.endpoints[0]?.reasons.at(-1), {
    code: 'address-reuse',
    text: /k gave its address to instance api-1 of shop\/api/,
  })
  t.match(
    findConflicts(table.pools()).filter(each => each.id === 'address-reuse:shop/web'),
    [{ severity: 'warning', services: [web], count: 1 }],
  )
  const before = table.pool(web)
  put(api, one('api-1'), one('api-2', { address: '10.0.0.9' }))
  t.equal(table.pool(web), before, 'what does not concern it leaves it alone')
  put(api)
  t.same(lines(table, web), ['web-1 out', 'web-2'], 'the instance is gone all the same')
  put(web, one('web-3'), one('web-2', { address: '10.0.0.2' }))
  t.same(lines(table, web), ['web-3', 'web-2'], 'its source names it again')
})

t.test('two names for one instance, or for a process in two registries, are no reuse', async t => {
  for (const [what, source, id] of [
    ['the same instance under a new service', k8s, 'web-1'],
    ['another registry has ids of its own', { name: 'dc1', type: 'consul' }, 'other'],
  ] as const) {
    const table = new EndpointTable(() => undefined, timeless)
    table.apply(k8s, [{ id: 'web', service: web, endpoints: [held(one('web-1'), 'guard', '')] }], 0)
    table.settle()
    table.apply(source, [{ id: 'api', service: api, endpoints: [one(id)] }], 0)
    t.same(lines(table, web), ['web-1'], what)
  }
  const table = new EndpointTable(() => undefined, timeless)
  table.apply(k8s, [{ id: 'web', service: web, endpoints: [one('web-1')] }], 0)
  table.apply(k8s, [{ id: 'api', service: api, endpoints: [one('api-1')] }], 0)
  table.settle()
  table.apply(k8s, [{ id: 'web', service: web, endpoints: [held(one('web-1'), 'guard', '')] }], 0)
  t.same(lines(table, web), ['web-1'], 'both were there before')
})

t.test("the gateway's own listener is no endpoint, unless an operator pins it (discovery.md 1.3)", async t => {
  let listens = false
  const overrides = new Map<string, Override>()
  const table = new EndpointTable(() => undefined, {
    ...timeless,
    isGateway: (address, port) => listens && address === '10.0.0.1' && port === 80,
    overrides: () => overrides,
  })
  table.apply(k8s, [{ id: 'web', service: web, endpoints: [one('edge'), one('web-2', { port: 81 })] }], 0)
  t.same(lines(table, web), ['edge', 'web-2'])
  listens = true
  table.gatewayMoved(0)
  t.same(lines(table, web), ['edge out', 'web-2'])
  t.match(
    findConflicts(table.pools()).map(each => each.id),
    ['gateway-loop:shop/web'],
  )
  overrides.set('10.0.0.1 80', { id: 'o', service: web, address: '10.0.0.1', port: 80, action: 'pin', reason: 'r', actor: 'a' })
  table.overridesChanged([web], 0)
  t.same(lines(table, web), ['edge', 'web-2'])
})
