import t from 'tap'
import { ResourceCache } from '../../src/xds/cache.ts'
import type { Resource } from '../../src/xds/resource.ts'
import { ManualClock } from '../envoy/manual-clock.ts'
import { Peer } from './peer.ts'
import { startXds } from './harness.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const

for (const protocol of protocols) {
  t.test(
    `${protocol}: L9 a client is served the view of its cluster: a change in one sends nothing to another, endpoints are shared`,
    async t => {
      const clock = new ManualClock()
      const core = new ResourceCache({ clock })
      t.teardown(() => core.close())
      const xds = await startXds(t, { clock, options: { viewOf: ({ cluster }) => (cluster === 'core' ? core : xds.cache) } })
      const shared = resource('endpoint web')
      const patch = (cache: ResourceCache, ...upsert: Resource[]): void => cache.patch({ upsert, remove: [] })
      patch(
        xds.cache,
        resource('cluster web', 'edge', ['endpoint web']),
        resource('listener l', 'edge', ['secret s']),
        shared,
        resource('secret s'),
      )
      patch(core, resource('cluster web', 'core', ['endpoint web']), shared, resource('secret s'))
      const peers = {
        edge: new Peer(xds.connect().open(protocol, 'ads', { id: 'e-1', cluster: 'edge' })),
        core: new Peer(xds.connect().open(protocol, 'ads', { id: 'c-1', cluster: 'core' })),
      }
      for (const [cluster, peer] of Object.entries(peers)) {
        peer.subscribe('cluster', '*')
        t.equal(await peer.take(), `cluster web=${cluster}`)
        peer.subscribe('endpoint', 'web')
        t.equal(await peer.take(), 'endpoint web=v1')
      }
      peers.edge.subscribe('secret', 's')
      t.equal(await peers.edge.take(), 'secret s=v1')
      peers.core.subscribe('secret', 's')
      if (protocol === 'delta') t.equal(await peers.core.take(), 'secret -s', 'L10: what another view has is not found')

      patch(core, resource('cluster web', 'core-2', ['endpoint web']), resource('cluster more', 'core'))
      t.equal(await peers.core.take(), protocol === 'delta' ? 'cluster more=core web=core-2' : 'cluster more=core web=core-2')
      await xds.silent(t, peers.edge.stream, 'nothing for the other view')
      t.equal(core.get('endpoint', 'web'), xds.cache.get('endpoint', 'web'), 'the same bytes')
      const changed = resource('endpoint web', 'v2')
      for (const cache of [core, xds.cache]) patch(cache, changed)
      t.equal(await peers.edge.take(), 'endpoint web=v2')
      t.match(
        xds.server.proxies.resources('c-1', 'cluster').map(one => one.name),
        ['more', 'web'],
        'its own view is what it is held against',
      )
      t.match(
        xds.server.proxies.resources('e-1', 'cluster').map(one => one.name),
        ['web'],
      )
    },
  )
}
