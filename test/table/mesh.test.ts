import t from 'tap'
import { makeEndpoint } from '../../src/model/endpoint.ts'
import type { Mesh } from '../../src/model/mesh.ts'
import { serviceKey } from '../../src/model/service-key.ts'
import type { AssignmentSpec } from '../../src/ir/assignment.ts'
import { EndpointTable } from '../../src/table/endpoint-table.ts'
import { TableKnowledge } from '../../src/compose/table-knowledge.ts'
import { withMesh } from '../../src/compile/emissary/mesh.ts'
import type { IrCluster } from '../../src/ir/route-table.ts'
import { selectEndpoints } from '../../src/xds/generate/select-endpoints.ts'

const web = serviceKey('default', 'web')
const peer = { identity: 'spiffe://x/svc/web', certificate: 'connect/dc1/leaf', validation: 'connect/dc1/roots' }

/** Consul says that 10.0.0.1 is in a mesh, the cluster knows the same place and says nothing of one. */
function tableWith(mesh: Mesh): EndpointTable {
  const table = new EndpointTable(() => undefined)
  const at = { address: '10.0.0.1', port: 80 }
  const group = (id: string, more = {}) => [{ id, service: web, endpoints: [makeEndpoint({ ...at, id, ...more })] }]
  table.apply({ name: 'k8s', type: 'kubernetes' }, group('pod'), 0)
  table.apply({ name: 'dc1', type: 'consul' }, group('web-1', { mesh }), 0)
  table.settle()
  return table
}

const specOf = (more: Partial<AssignmentSpec> = {}): AssignmentSpec => ({
  ...{ name: 'x', service: web, port: { kind: 'default', tls: false }, members: { kind: 'all' } },
  ...more,
})

t.test('what one source knows to be in a mesh is reached through it alone, whoever else knows the place in plain', async t => {
  const pool = tableWith(peer).pool(web)
  t.match(pool?.endpoints, [{ mesh: peer, reasons: [{ code: 'merged' }, { code: 'mesh' }] }])
  t.same(selectEndpoints(pool, specOf()), [], 'a cluster without a socket for it')
  t.same(selectEndpoints(pool, specOf({ mesh: ['spiffe://x/svc/other'] })), [])
  t.same(selectEndpoints(pool, specOf({ members: { kind: 'type', type: 'kubernetes' } })), [], 'by the other source alone')
  t.equal(selectEndpoints(pool, specOf({ mesh: [peer.identity] })).length, 1)
  t.equal(selectEndpoints(pool, specOf({ mesh: [peer.identity], members: { kind: 'type', type: 'kubernetes' } })).length, 1)
})

t.test('while it is locked it is left out of every cluster, and says why', async t => {
  const pool = tableWith({ locked: 'no certificate' }).pool(web)
  t.match(pool?.endpoints, [{ excluded: true, reasons: [{ code: 'merged' }, { code: 'mesh-only', text: /: no certificate$/ }] }])
  t.same(selectEndpoints(pool, specOf({ mesh: [peer.identity] })), [])
})

t.test('a cluster gets sockets for identities whose secrets exist, under an assignment of its own name', async t => {
  const known = new TableKnowledge(tableWith(peer), [])
  const base = { name: 'web', statName: 'web', loadBalancing: 'round_robin', connectTimeoutMs: 1, origins: [] } as const
  const cluster: IrCluster = { ...base, kind: 'eds', assignment: specOf() }
  const roots = { kind: 'validation', name: 'connect/dc1/roots', trustedCa: 'A' } as const
  const leaf = { kind: 'certificate-files', name: 'connect/dc1/leaf', certificateFile: 'c', keyFile: 'k' } as const
  for (const sourceSecrets of [[], [roots], [leaf]]) {
    t.same(withMesh([cluster], { known, sourceSecrets }), { clusters: [cluster], secrets: [] })
  }
  const { clusters, secrets } = withMesh([cluster], { known, sourceSecrets: [roots, leaf] })
  t.same(secrets, [leaf, roots])
  t.match(clusters, [{ mesh: [peer], assignment: { name: /^x\|mesh:[0-9a-f]{8}$/, mesh: [peer.identity] } }])
  const renewed = withMesh([cluster], { known, sourceSecrets: [{ ...roots, trustedCa: 'B' }, leaf] })
  t.same(renewed.clusters, clusters, 'a renewal changes no cluster')
})
