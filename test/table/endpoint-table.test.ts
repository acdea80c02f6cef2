import fc from 'fast-check'
import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { type ServiceKey, serviceKey } from '../../src/model/service-key.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import type { TableChange } from '../../src/table/reader.ts'

const web = serviceKey('shop', 'web')
const api = serviceKey('shop', 'api')
const dc1 = { name: 'dc1', type: 'consul' }
const vms = { name: 'vms', type: 'vm' }

function group(id: string, service: ServiceKey, ...addresses: string[]): EndpointGroup {
  return { id, service, endpoints: addresses.map(address => makeEndpoint({ address, port: 80, id: address })) }
}

function addresses(table: EndpointTable, service: ServiceKey): string[] | undefined {
  return table.pool(service)?.endpoints.map(endpoint => endpoint.address)
}

t.test('a group replaces itself, an empty group is gone, the service stays known (style.md, principles 1 and 2)', async t => {
  const table = new EndpointTable(() => undefined)
  t.equal(table.pool(web), undefined)
  table.apply(dc1, [group('web', web, '10.0.0.1', '10.0.0.2')], 0)
  table.apply(dc1, [group('web', web, '10.0.0.2')], 0)
  t.same(addresses(table, web), ['10.0.0.2'])
  table.apply(dc1, [group('web', web)], 0)
  t.same(addresses(table, web), [])
  t.same(table.size, { services: 1, endpoints: 0 })
})

t.test('sources are kept apart: one leaving takes only its own', async t => {
  const table = new EndpointTable(() => undefined)
  table.apply(dc1, [group('web', web, '10.0.0.1')], 0)
  table.apply(vms, [group('web', web, '10.0.0.1', '10.0.0.2')], 0)
  t.same(addresses(table, web), ['10.0.0.1', '10.0.0.2'])
  t.equal(table.prune('vms', new Set(), 0), 1)
  t.same(addresses(table, web), ['10.0.0.1'])
})

t.test('a group that moves to another service leaves nothing behind', async t => {
  const table = new EndpointTable(() => undefined)
  table.apply(dc1, [group('slice-1', web, '10.0.0.1')], 0)
  table.apply(dc1, [group('slice-1', api, '10.0.0.1')], 0)
  t.same(addresses(table, web), [])
  t.same(addresses(table, api), ['10.0.0.1'])
})

t.test('equal content is no change: no revision, no listener', async t => {
  const table = new EndpointTable(() => undefined)
  const changes: TableChange[] = []
  table.onChange(change => changes.push(change))
  table.apply(dc1, [group('web', web, '10.0.0.1')], 7)
  table.settle()
  table.apply(dc1, [group('web', web, '10.0.0.1')], 8)
  table.settle()
  t.equal(changes.length, 1)
  t.equal(changes[0]?.receivedAt, 7)
})

t.test('a burst of groups is merged once, stamped with its first arrival', async t => {
  let dirty = 0
  const table = new EndpointTable(() => dirty++)
  const changes: TableChange[] = []
  table.onChange(change => changes.push(change))
  for (let i = 1; i <= 5; i++) table.apply(vms, [group(`agent-${String(i)}`, web, `10.0.0.${String(i)}`)], i)
  table.settle()
  t.equal(dirty, 5)
  t.equal(changes.length, 1)
  t.equal(changes[0]?.receivedAt, 1)
  t.equal(changes[0]?.pools[0]?.after.endpoints.length, 5)
  t.same(table.countOf('vms'), { services: 1, endpoints: 5 })
})

t.test('any sequence of apply and prune equals a table built from what is left', async t => {
  const step = fc.record({
    source: fc.constantFrom(dc1, vms),
    id: fc.constantFrom('g1', 'g2', 'g3'),
    service: fc.constantFrom(web, api),
    addresses: fc.uniqueArray(fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3'), { maxLength: 3 }),
    prune: fc.boolean(),
    settle: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), steps => {
      const table = new EndpointTable(() => undefined)
      const left = new Map<string, { source: typeof dc1; group: EndpointGroup }>()
      for (const { source, id, service, addresses, prune, settle } of steps) {
        if (prune) {
          table.prune(source.name, new Set([id]), 0)
          for (const [key, entry] of left) if (entry.source === source && entry.group.id !== id) left.delete(key)
        } else {
          const next = group(id, service, ...addresses)
          table.apply(source, [next], 0)
          if (addresses.length === 0) left.delete(`${source.name} ${id}`)
          else left.set(`${source.name} ${id}`, { source, group: next })
        }
        if (settle) table.settle()
      }
      const fresh = new EndpointTable(() => undefined)
      for (const entry of left.values()) fresh.apply(entry.source, [entry.group], 0)
      for (const service of [web, api]) t.same(addresses(table, service) ?? [], addresses(fresh, service) ?? [])
      t.equal(table.size.endpoints, fresh.size.endpoints)
    }),
    { numRuns: 200 },
  )
})
