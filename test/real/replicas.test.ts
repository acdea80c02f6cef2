import t from 'tap'
import { bootstrap } from '../../src/envoy/bootstrap.ts'
import { generateAssignment } from '../../src/xds/generate/assignment.ts'
import { generateStructure } from '../../src/xds/generate/structure.ts'
import { startBalancer } from '../tools/balancer.ts'
import { startEnvoy } from '../tools/envoy-process.ts'
import { freePort } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { endpoint, poolOf, specOf } from '../xds/generate/pools.ts'
import { edsCluster, forward, listener, tableOf } from '../xds/generate/tables.ts'
import { type Harness, startXds } from '../xds/harness.ts'

const count = 200
const names = Array.from({ length: count }, (_, index) => `service-${String(index)}`)

/** What a replica makes of the objects; each makes it anew. */
function resources(port: number) {
  const clusters = names.map(name => edsCluster(name, { assignment: specOf({ name }) }))
  const routes = names.map(name => forward(`/${name}/`, name))
  const assignments = names.map(name =>
    generateAssignment(specOf({ name }), poolOf({ vm: [endpoint('172.16.0.1:8080'), endpoint('172.16.0.2:8080')] })),
  )
  return [...generateStructure(tableOf(routes, clusters, [listener({ address: '127.0.0.1', port })])), ...assignments]
}

function written(xds: Harness): number {
  return xds.observed.reduce((sum, { what, bytes = 0 }) => sum + (what === 'written' ? bytes : 0), 0)
}

for (const protocol of ['delta', 'sotw'] as const) {
  t.test(`${protocol}: C17 D4 an Envoy that comes to another replica takes nothing for a change`, async t => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const [one, two] = [await startXds(t, { resources: resources(port) }), await startXds(t, { resources: resources(port) })]
    const front = await startBalancer(t, one.port)
    const text = bootstrap({ nodeId: 'edge-1', cluster: 'test', xds: { host: '127.0.0.1', port: front.port }, protocol, adminPort })
    const envoy = await startEnvoy({ bootstrap: JSON.stringify(text), adminPort })
    t.teardown(() => envoy.stop())
    await envoy.untilReady()
    const isSynced = (xds: Harness) => () => xds.server.proxies.proxy('edge-1')?.state === 'synced'
    await eventually('in sync with the first', async () => isSynced(one)())
    const changes = () => envoy.stats('cluster_(added|modified|removed)$|listener_(added|modified|removed)$|config_reload$|update_empty$')
    const before = await changes()
    t.equal(before.get('cluster_manager.cluster_added'), count + 1, 'all clusters, and that of the control plane')

    front.switchTo(two.port)
    await eventually('it comes to the second', async () => isSynced(two)())
    const after = await changes()
    for (const [name, value] of before) if (!name.includes('update_empty')) t.equal(after.get(name), value, name)
    two.put(
      generateAssignment(
        specOf({ name: 'service-7', port: { kind: 'number', number: 8080 } }),
        poolOf({ vm: [endpoint('172.16.0.3:8080')] }),
      ),
    )
    await eventually('what changes afterwards arrives', async () => {
      const { cluster_statuses: clusters = [] } = await envoy.clusters()
      const hosts = clusters.find(cluster => cluster.name === 'service-7')?.host_statuses ?? []
      return hosts.length === 1 && hosts[0]?.address.socket_address?.address === '172.16.0.3'
    })
    if (protocol === 'delta') {
      t.ok(written(two) < 2_000, `of ${String(written(one))} bytes it is sent ${String(written(two))} again`)
      t.equal(
        two.observed.filter(one => one.what === 'written' && one.type === 'endpoint').length,
        1,
        'and of the assignments that which changed',
      )
    }
  })
}
