import t from 'tap'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { startXds } from './harness.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const
const key = 'PRIVATE KEY MATERIAL'

for (const protocol of protocols) {
  const isDelta = protocol === 'delta'

  for (const service of ['ads', 'secret'] as const) {
    t.test(`${protocol}, ${service}: L10 a secret is given while some listener or cluster of the client's requires it`, async t => {
      const xds = await startXds(t, { resources: [resource('secret s', key), resource('secret of-nobody')] })
      const stream = xds.open(protocol, service)
      stream.ask('secret', ['s', 'of-nobody'])
      if (isDelta) t.match(await stream.take(), { names: [], removed: ['s', 'of-nobody'] }, 'not found')
      xds.put(resource('listener l', 'v1', ['secret s']))
      t.match(await stream.take(['s', 'of-nobody']), { names: ['s'], typeUrl: typeUrls.secret })
      xds.put(resource('cluster c', 'v1', ['secret s']))
      xds.remove('listener l')
      xds.put(resource('secret s', 'renewed'))
      t.match(await stream.take(['s', 'of-nobody']), { names: ['s'] }, 'the cluster requires it, too')
      xds.remove('cluster c')
      if (isDelta) t.match(await stream.take(), { names: [], removed: ['s'] }, 'nothing does any more')
      xds.put(resource('secret s', 'renewed again'))
      xds.put(resource('cluster c', 'v1', ['secret s']))
      t.match(await stream.take(['s', 'of-nobody']), { names: ['s'] })
    })

    t.test(`${protocol}, ${service}: who asks for all secrets gets none`, async t => {
      const xds = await startXds(t, { resources: [resource('listener l', 'v1', ['secret s', 'secret u']), resource('secret s')] })
      const stream = xds.open(protocol, service)
      stream.ask('secret', ['*'])
      t.match(await stream.take(['*']), { names: [], removed: [] })
      xds.put(resource('secret s', 'v2'), resource('secret u'))
      stream.ask('secret', ['*', 's'])
      t.match(await stream.next(), { names: ['s'] }, 'only those it names')
    })
  }

  t.test(`${protocol}: a renewed secret is sent alone: no listener, no cluster, and only to those who have it`, async t => {
    const resources = [
      resource('listener l', 'v1', ['secret s', 'secret u']),
      resource('cluster c', 'v1', ['secret s']),
      resource('secret s', key),
      resource('secret u'),
    ]
    const xds = await startXds(t, { resources })
    const [user, other] = [xds.peer(protocol, 'envoy-1'), xds.peer(protocol, 'envoy-2')]
    for (const peer of [user, other]) {
      peer.subscribe('cluster', '*')
      await peer.take()
      peer.subscribe('listener', '*')
      await peer.take()
      peer.subscribe('secret', peer === user ? 's' : 'u')
      await peer.take()
    }
    xds.put(resource('secret s', 'renewed'))
    t.equal(await user.take(), 'secret s=renewed')
    await xds.silent(t, user.stream, 'nothing else')
    await xds.silent(t, other.stream, 'it has another secret')
  })

  t.test(`${protocol}: a secret stays for a client that still has the listener which requires it`, async t => {
    const xds = await startXds(t, { resources: [resource('listener l', 'v1', ['secret s']), resource('secret s')] })
    const peer = xds.peer(protocol)
    peer.subscribe('listener', '*')
    await peer.take()
    peer.subscribe('secret', 's')
    await peer.take()
    xds.put(resource('listener l', 'v2'))
    xds.remove('secret s')
    t.equal(await peer.next(), 'listener l=v2')
    await xds.silent(t, peer.stream, 'it has not taken the new listener yet')
    peer.ack('listener')
    if (isDelta) t.equal(await peer.next(), 'secret -s')
    else await xds.silent(t, peer.stream, 'state of the world has no word for it')
    t.match(xds.cache.retirement, { waiting: 0, forced: 0 })
  })

  t.test(`${protocol}: no private key is logged or shown`, async t => {
    const xds = await startXds(t, { resources: [resource('listener l', 'v1', ['secret s']), resource('secret s', key)] })
    const peer = xds.peer(protocol)
    peer.subscribe('secret', 's')
    t.equal(await peer.next(), `secret s=${key}`, 'who may have it gets it')
    peer.nack('secret', `s: cannot use it`)
    await xds.silent(t, peer.stream, 'refused')
    const shown = JSON.stringify([xds.logged, xds.server.proxies.proxies(), xds.server.proxies.resources('envoy-1', 'secret')])
    t.match(shown, /cannot use it/)
    t.notMatch(shown, new RegExp(key))
    t.notMatch(shown, new RegExp(Buffer.from(key).toString('base64').slice(0, 20)))
  })
}
