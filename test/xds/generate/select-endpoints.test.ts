import t from 'tap'
import type { AssignmentSpec } from '../../../src/ir/assignment.ts'
import type { PoolView } from '../../../src/table/reader.ts'
import { selectEndpoints } from '../../../src/xds/generate/select-endpoints.ts'
import { endpoint, poolOf, specOf } from './pools.ts'

function selected(pool: PoolView | undefined, change: Partial<AssignmentSpec>): string[] {
  return selectEndpoints(pool, specOf(change)).map(({ address, port }) => `${address}:${port}`)
}

const number = (port: number): Partial<AssignmentSpec> => ({ port: { kind: 'number', number: port } })
const name = (portName: string): Partial<AssignmentSpec> => ({ port: { kind: 'name', name: portName } })

t.test('an unknown pool has no endpoints', async t => {
  t.same(selected(undefined, {}), [])
})

t.test('a port by number or name picks that port of each instance', async t => {
  const pool = poolOf({
    vm: [
      endpoint('10.0.0.1:80', { id: 'a', portName: 'http' }),
      endpoint('10.0.0.1:9090', { id: 'a', portName: 'metrics' }),
      endpoint('10.0.0.2:80', { id: 'b', portName: 'http' }),
      endpoint('10.0.0.2:9091', { id: 'b', portName: 'metrics' }),
    ],
  })
  t.same(selected(pool, number(80)), ['10.0.0.1:80', '10.0.0.2:80'])
  t.same(selected(pool, number(9090)), ['10.0.0.1:9090'])
  t.same(selected(pool, name('metrics')), ['10.0.0.1:9090', '10.0.0.2:9091'])
  t.same(selected(pool, name('admin')), [])
})

t.test('an instance with exactly one port always matches', async t => {
  const pool = poolOf({
    vm: [endpoint('10.0.0.1:80', { id: 'a' }), endpoint('10.0.0.1:9090', { id: 'a' }), endpoint('10.0.0.2:23456', { id: 'b' })],
  })
  t.same(selected(pool, number(80)), ['10.0.0.1:80', '10.0.0.2:23456'])
  t.same(selected(pool, name('http')), ['10.0.0.2:23456'])
})

t.test('instances are told apart by source and id', async t => {
  const pool = poolOf({ vm: [endpoint('10.0.0.1:8080', { id: 'a' })], consul: [endpoint('10.0.0.2:8081', { id: 'a' })] })
  t.same(selected(pool, number(80)), ['10.0.0.1:8080', '10.0.0.2:8081'], 'equal ids of two sources are two instances')
  const shared = poolOf({
    vm: [endpoint('10.0.0.1:8080', { id: 'agent-1' })],
    consul: [endpoint('10.0.0.1:8080', { id: 'node/web' }), endpoint('10.0.0.1:9090', { id: 'node/web' })],
  })
  t.same(selected(shared, number(80)), [], 'an instance that one source knows with two ports has two')
  t.same(selected(shared, number(8080)), ['10.0.0.1:8080'])
})

t.test('no port given: 80, with TLS 443, if some instance has it, else the only port', async t => {
  const pool = poolOf({
    vm: [
      endpoint('10.0.0.1:80', { id: 'a' }),
      endpoint('10.0.0.1:443', { id: 'a' }),
      endpoint('10.0.0.2:8080', { id: 'b' }),
      endpoint('10.0.0.2:9090', { id: 'b' }),
      endpoint('10.0.0.3:8080', { id: 'c' }),
    ],
  })
  t.same(selected(pool, {}), ['10.0.0.1:80', '10.0.0.3:8080'])
  t.same(selected(pool, { port: { kind: 'default', tls: true } }), ['10.0.0.1:443', '10.0.0.3:8080'])
  const unusual = poolOf({
    vm: [endpoint('10.0.0.2:8080', { id: 'b' }), endpoint('10.0.0.2:9090', { id: 'b' }), endpoint('10.0.0.3:8080', { id: 'c' })],
  })
  t.same(selected(unusual, {}), ['10.0.0.3:8080'], 'which of two unusual ports is meant, nobody said')
})

t.test('UDP ports are no upstreams, and do not count as ports', async t => {
  const pool = poolOf({ vm: [endpoint('10.0.0.1:8080', { id: 'a' }), endpoint('10.0.0.1:8125', { id: 'a', protocol: 'udp' })] })
  t.same(selected(pool, {}), ['10.0.0.1:8080'])
})

t.test('a member filter keeps only what one source, or one type of source, knows', async t => {
  const pool = poolOf({
    'vm:agents': [endpoint('10.0.0.1:80')],
    'consul:dc1': [endpoint('10.0.0.2:80')],
    'consul:dc2': [endpoint('10.0.0.3:80')],
  })
  t.same(selected(pool, { members: { kind: 'type', type: 'consul' } }), ['10.0.0.2:80', '10.0.0.3:80'])
  t.same(selected(pool, { members: { kind: 'source', source: 'dc2' } }), ['10.0.0.3:80'])
  t.same(selected(pool, { members: { kind: 'source', source: 'nobody' } }), [])
})

t.test('filtered out evidence decides nothing: neither health nor weight nor ports', async t => {
  const pool = poolOf({
    vm: [endpoint('10.0.0.1:80', { health: 'draining', weight: 7 }), endpoint('10.0.0.1:81', { id: '10.0.0.1:80' })],
    consul: [endpoint('10.0.0.1:80', { health: 'healthy', weight: 50 })],
  })
  const [seen] = selectEndpoints(pool, specOf({ members: { kind: 'type', type: 'consul' }, port: { kind: 'number', number: 8080 } }))
  t.match(seen, { address: '10.0.0.1', health: 'healthy', weight: 50, winner: { source: 'consul' } })
  const [all] = selectEndpoints(pool, specOf())
  t.match(all, { health: 'draining', weight: 7, winner: { source: 'vm' } })
})
