import t from 'tap'
import type { IncompleteSource } from '../../src/discovery/host.ts'
import type { AssignmentSpec, MemberFilter } from '../../src/ir/assignment.ts'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import { tentativeWhile } from '../../src/compose/tentative.ts'
import { Assignments } from '../../src/reconcile/assignments.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { generateAssignment } from '../../src/xds/generate/assignment.ts'

const web = serviceKey('shop', 'web')

function spec(name: string, members: MemberFilter = { kind: 'all' }): AssignmentSpec {
  return { name, service: web, port: { kind: 'default', tls: false }, members }
}

t.test('an assignment is tentative while a source that may fill it fills up, or is unread and leaves it empty (discovery.md 5.7)', t => {
  const consul = { kind: 'type', type: 'consul' } as const
  const dc1 = { kind: 'source', source: 'dc1' } as const
  const filling: IncompleteSource = { name: 'vms', type: 'vm', told: 'part' }
  const unread: IncompleteSource = { name: 'dc1', type: 'consul', told: 'nothing' }
  const table: [IncompleteSource[], MemberFilter, empty: boolean, tentative: boolean][] = [
    [[], { kind: 'all' }, true, false],
    [[filling], { kind: 'all' }, true, true],
    [[filling], { kind: 'all' }, false, true],
    [[filling], consul, true, false],
    [[filling], dc1, true, false],
    [[unread], { kind: 'all' }, true, true],
    [[unread], { kind: 'all' }, false, false],
    [[unread], consul, true, true],
    [[unread], dc1, true, true],
    [[unread], { kind: 'type', type: 'vm' }, true, false],
    [[unread], { kind: 'source', source: 'dc2' }, true, false],
    [[unread, filling], { kind: 'all' }, false, true],
  ]
  for (const [incomplete, members, empty, tentative] of table) {
    const found = tentativeWhile(() => incomplete)(spec('web', members), () => empty)
    t.equal(found, tentative, JSON.stringify({ incomplete, members, empty }))
  }
  t.end()
})

t.test('what was tentative is made again, in the version of the day, and no other', t => {
  let incomplete: IncompleteSource[] = [{ name: 'vms', type: 'vm', told: 'part' }]
  const made = new Assignments(
    generateAssignment,
    tentativeWhile(() => incomplete),
  )
  const pools = new EndpointTable(() => undefined)
  const [first, second] = [made.make(spec('web'), undefined), made.make(spec('gone'), undefined)]
  t.same([first.tentative, second.tentative], [true, true])
  made.drop('gone')
  pools.apply(
    { name: 'vms', type: 'vm' },
    [{ id: 'a', service: web, endpoints: [makeEndpoint({ address: '10.0.0.1', port: 80, id: 'a' })] }],
    0,
  )
  incomplete = []
  const again = made.again(service => pools.pool(service))
  t.match(again, [{ name: 'web', tentative: false, version: generateAssignment(spec('web'), pools.pool(web)).version }])
  t.same(
    made.again(() => undefined),
    [],
  )
  t.end()
})
