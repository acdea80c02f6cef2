import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { findConflicts } from '../../src/table/conflicts.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { poolMember } from './pool-member.ts'

type Given = Partial<Parameters<typeof makeEndpoint>[0]>

/** A table of what sources say: `source:type namespace/name` → endpoints. */
function tableOf(said: Readonly<Record<string, readonly Given[]>>): EndpointTable {
  const table = new EndpointTable(() => undefined)
  for (const [who, endpoints] of Object.entries(said)) {
    const [source = '', place = ''] = who.split(' ')
    const [namespace = '', name = ''] = place.split('/')
    const [sourceName = '', type = sourceName] = source.split(':')
    const made = endpoints.map((one, index) => makeEndpoint({ address: '10.0.0.1', port: 80, id: `i${String(index)}`, ...one }))
    const group: EndpointGroup = { id: who, service: serviceKey(namespace, name), endpoints: made }
    table.apply({ name: sourceName, type }, [group], 0)
  }
  return table
}

function kinds(table: EndpointTable): readonly string[] {
  return findConflicts(table.pools()).map(one => `${one.severity} ${one.id} ${String(one.count)}`)
}

t.test('what sources of one service do not agree on (discovery.md 7.4)', async t => {
  const ill: Given = { health: 'unhealthy' }
  const zone = (name: string): Given => ({ locality: { region: '', zone: name, subzone: '' } })
  const table: readonly [string, Record<string, readonly Given[]>, readonly string[]][] = [
    ['agreement', { 'dc1:consul a/web': [{}], 'vms:vm a/web': [{}] }, []],
    ['health', { 'dc1:consul a/web': [{}], 'vms:vm a/web': [ill] }, ['warning health-disagreement:a/web 1']],
    ['stale evidence does not disagree', { 'dc1:consul a/web': [{}], 'vms:vm a/web': [{ ...ill, presence: 'expired' }] }, []],
    ['weight', { 'dc1:consul a/web': [{ weight: 5 }], 'vms:vm a/web': [{}] }, ['info weight-disagreement:a/web 1']],
    [
      'port name',
      { 'dc1:consul a/web': [{ portName: 'http' }], 'vms:vm a/web': [{ portName: 'web' }] },
      ['info port-name-disagreement:a/web 1'],
    ],
    ['a port without a name is no name', { 'dc1:consul a/web': [{ portName: 'http' }], 'vms:vm a/web': [{}] }, []],
    ['port', { 'dc1:consul a/web': [{ port: 81 }], 'vms:vm a/web': [{}] }, ['warning port-disagreement:a/web 1']],
    [
      'a port for each instance is no disagreement',
      { 'dc1:consul a/web': [{ port: 20001 }, { port: 20002 }], 'vms:vm a/web': [{ port: 20003, id: 'other' }] },
      [],
    ],
    [
      'unless both call the instance the same',
      { 'dc1:consul a/web': [{ port: 20001 }, { port: 20002 }], 'vms:vm a/web': [{ port: 20003 }] },
      ['warning port-disagreement:a/web 1'],
    ],
    ['protocol', { 'dc1:consul a/web': [{ protocol: 'udp' }], 'vms:vm a/web': [{}] }, ['info protocol-disagreement:a/web 1']],
    ['a source that has both means both', { 'dc1:consul a/web': [{ protocol: 'udp' }, {}], 'vms:vm a/web': [{}] }, []],
    ['zone', { 'dc1:consul a/web': [zone('a')], 'vms:vm a/web': [zone('b')] }, ['info zone-disagreement:a/web 1']],
    ['no zone is no zone', { 'dc1:consul a/web': [zone('a')], 'vms:vm a/web': [{}] }, []],
    ['two ports of one source are two ports', { 'dc1:consul a/web': [{ port: 81 }, {}] }, []],
    ['an address given to another instance', { 'dc1:consul a/web': [{ id: 'old' }, { id: 'new' }] }, ['warning identity-reuse:a/web 1']],
    [
      'our own export',
      { 'dc1:consul a/web': [{ meta: { 'external-source': 'isthmus' }, health: 'unhealthy' }], 'vms:vm a/web': [{}] },
      ['warning health-disagreement:a/web 1', 'warning sync-loop:a/web 1'],
    ],
  ]
  for (const [what, said, expected] of table) t.same(kinds(tableOf(said)), expected, what)
})

t.test('between services: one address under two names, one name in two namespaces; one source may do both', async t => {
  t.same(kinds(tableOf({ 'dc1:consul a/web': [{}], 'vms:vm a/site': [{}] })), ['warning address-in-two-services:a/site,a/web 1'])
  t.same(kinds(tableOf({ 'dc1:consul a/web': [{}], 'dc1:consul a/site': [{}] })), [])
  const apart = tableOf({ 'dc1:consul default/pay': [{}], 'vms:vm shop/Pay': [{ address: '10.0.0.2' }] })
  t.same(kinds(apart), ['info name-apart:default/pay,shop/Pay 2'])
  t.same(kinds(tableOf({ 'dc1:consul a/pay': [{}], 'dc1:consul b/pay': [{ address: '10.0.0.2' }] })), [])

  // The fix that is suggested ends it.
  const services = [serviceKey('default', 'pay'), serviceKey('shop', 'Pay')]
  apart.follow([{ service: serviceKey('shop', 'pay'), mode: 'union', members: [poolMember('m', services)], drainSeconds: 0 }], 0)
  t.same(kinds(apart), [])
})

t.test('a conflict names both sides of the first addresses, and counts all', async t => {
  const many = (weight: number) => Array.from({ length: 30 }, (_, index): Given => ({ address: `10.0.1.${String(index)}`, weight }))
  const [found] = findConflicts(tableOf({ 'dc1:consul a/web': many(10), 'vms:vm a/web': many(20) }).pools())
  t.equal(found?.count, 30)
  t.equal(found?.members.length, 20)
  t.same(
    found?.members.slice(0, 2).map(one => `${one.source} ${one.says}`),
    ['vms 20', 'dc1 10'],
  )
})
