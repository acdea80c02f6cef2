import t from 'tap'
import { deferResource, type Resource } from '../../src/xds/resource.ts'
import { startXds } from './harness.ts'
import { Peer } from './peer.ts'
import { resource } from './resources.ts'

/** An assignment that says `common`, and in zones a and b what `zones` says. */
function zoned(common: string, zones: Readonly<Record<string, string>>): Resource {
  const bytes = (content: string) => resource('endpoint web', content).bytes
  return deferResource('endpoint', 'web', () => bytes(common), {
    narrow: place => (place.zone in zones ? { region: '', zone: place.zone } : undefined),
    encode: ({ zone }) => bytes(zones[zone] ?? common),
  })
}

for (const protocol of ['sotw', 'delta'] as const) {
  t.test(`${protocol}: L9 each client is sent the variant of its place; what is the same for it is not sent again`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster web', 'v1', ['endpoint web']), zoned('all', { a: 'a1', b: 'b1' })] })
    const client = (id: string, locality?: object) =>
      new Peer(xds.connect().open(protocol, 'ads', { id, cluster: 'edge', ...(locality === undefined ? {} : { locality }) }))
    const a = client('in-a', { region: 'r', zone: 'a' })
    const b = client('in-b', { zone: 'b' })
    const elsewhere = client('elsewhere', { zone: 'c' })
    const nowhere = client('nowhere')
    const all = [a, b, elsewhere, nowhere]
    for (const [peer, content] of [
      [a, 'a1'],
      [b, 'b1'],
      [elsewhere, 'all'],
      [nowhere, 'all'],
    ] as const) {
      peer.subscribe('cluster', '*')
      t.equal(await peer.take(), 'cluster web=v1')
      peer.subscribe('endpoint', 'web')
      t.equal(await peer.take(), `endpoint web=${content}`)
    }

    xds.put(zoned('all', { a: 'a1', b: 'b1' }))
    for (const peer of all) await xds.silent(t, peer.stream, 'equal content sends nothing')

    xds.put(zoned('all 2', { a: 'a2', b: 'b2' }))
    t.equal(await a.take(), 'endpoint web=a2')
    t.equal(await b.take(), 'endpoint web=b2')
    t.equal(await elsewhere.take(), 'endpoint web=all 2')
    t.equal(await nowhere.take(), 'endpoint web=all 2')

    xds.put(zoned('all 3', { a: 'a2', b: 'b3' }))
    t.equal(await b.take(), 'endpoint web=b3')
    await xds.silent(t, a.stream, 'nothing changed at its place')
    const { proxies } = xds.server
    for (const id of ['in-a', 'in-b']) t.match(proxies.resources(id, 'endpoint'), [{ name: 'web', state: 'synced' }], id)
    const current = (id: string) => proxies.resources(id, 'endpoint')[0]?.currentVersion
    t.not(current('in-a'), current('in-b'), 'each is held against its own')

    // Preferring zones is switched off, and on again: what all others have does not change.
    t.equal(await elsewhere.take(), 'endpoint web=all 3')
    t.equal(await nowhere.take(), 'endpoint web=all 3')
    xds.put(resource('endpoint web', 'all 3'))
    t.equal(await a.take(), 'endpoint web=all 3')
    t.equal(await b.take(), 'endpoint web=all 3')
    await xds.silent(t, nowhere.stream, 'it had that')
    xds.put(zoned('all 3', { a: 'a4', b: 'b4' }))
    t.equal(await a.take(), 'endpoint web=a4')

    // What one place refuses is refused there alone, and only as it is there.
    t.equal(await b.next(), 'endpoint web=b4')
    b.nack('endpoint', 'web: no')
    await xds.silent(t, b.stream, 'it is not sent again (C10)')
    t.match(proxies.refusals(), [{ nodeId: 'in-b', refused: { name: 'web' } }])
    t.match(proxies.resources('in-a', 'endpoint'), [{ state: 'synced' }])
    xds.put(zoned('all 3', { a: 'a4', b: 'b5' }))
    xds.put(zoned('all 4', { a: 'a4', b: 'b5' }))
    t.equal(await b.take(), 'endpoint web=b5')
    t.same(proxies.refusals(), [])
  })
}

t.test('delta: a client that comes back with the variant of its place is not sent it again (D4); O4 a cluster that changed is', async t => {
  const xds = await startXds(t, { resources: [resource('cluster web', 'v1', ['endpoint web']), zoned('all', { a: 'a1' })] })
  const locality = { zone: 'a' }
  const version = zoned('all', { a: 'a1' }).forPlace?.({ region: '', zone: 'a' }).version ?? ''
  const stream = xds.connect().open('delta', 'ads', { id: 'e', cluster: 'edge', locality })
  stream.ask('endpoint', ['web'], { initialResourceVersions: { web: version } })
  await xds.silent(t, stream, 'it has that')
  const peer = new Peer(xds.connect().open('delta', 'ads', { id: 'f', cluster: 'edge', locality }))
  peer.subscribe('cluster', '*')
  await peer.take()
  peer.subscribe('endpoint', 'web')
  t.equal(await peer.take(), 'endpoint web=a1')
  xds.put(resource('cluster web', 'v2', ['endpoint web']))
  t.equal(await peer.take(), 'cluster web=v2')
  t.equal(await peer.take(), 'endpoint web=a1', 'in the same variant')
})
