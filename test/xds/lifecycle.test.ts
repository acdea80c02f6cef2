import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t from 'tap'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { startXds, until } from './harness.ts'
import { openMute, RawClient } from './raw-client.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const
/** More than all windows of a connection take. */
const large = 'x'.repeat(4_000_000)

for (const protocol of protocols) {
  t.test(`${protocol}: L4 a client that does not read holds one response, delays nobody, and is cut off after 5 minutes`, async t => {
    const xds = await startXds(t, { resources: [resource('endpoint a', `${large}0`)] })
    const names = protocol === 'delta' ? { resourceNamesSubscribe: ['a'] } : { resourceNames: ['a'] }
    const stuck = openMute(xds.port, protocol, { node: { id: 'stuck' }, typeUrl: typeUrls.endpoint, ...names })
    t.teardown(() => stuck.destroy())
    await until(() => xds.observed.length === 1)
    const client = new RawClient(xds.port)
    t.teardown(() => client.close())
    const good = client.open(protocol, 'ads', { id: 'good' })
    good.ask('endpoint', ['a'])
    await good.take(['a'])
    for (let change = 1; change <= 20; change++) {
      xds.put(resource('endpoint a', `${large}${String(change)}`))
      await good.take(['a'])
    }
    t.equal(xds.observed.filter(({ what }) => what === 'written').length, 1 + 21, 'one for who is stuck')
    await until(() => xds.observed.filter(({ what }) => what === 'acked').length === 21)
    // It is looked at every 10 s.
    for (let seconds = 0; seconds < 300; seconds += 10) {
      t.same(xds.faults, [], 'an unread response is not an unanswered one')
      await xds.clock.untilAsleep(10_000)
      xds.clock.advance(10_000)
      await until(() => true)
    }
    await until(() => xds.faults.length > 0)
    t.same(xds.faults, ['stuck'])
    t.equal(xds.logged.filter(line => /does not read any more/.test(line.message)).length, 1)
    t.match(xds.server.proxies.proxy('stuck'), { state: 'disconnected' })
    t.same(xds.cache.kept.watches, 1, 'nothing is kept for it')
  })

  t.test(`${protocol}: L12 acknowledgements may come late: nothing is sent twice, nothing is lost`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('endpoint a')] })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    peer.subscribe('endpoint', 'a')
    t.equal(await peer.next(), 'cluster a=v1')
    t.equal(await peer.next(), 'endpoint a=v1')
    xds.put(resource('cluster a', 'v2'), resource('endpoint a', 'v2'))
    await xds.silent(t, peer.stream, 'no answer yet')
    xds.clock.advance(9_000)
    await xds.silent(t, peer.stream, 'nor now')
    peer.ack('endpoint')
    t.equal(await peer.next(), 'endpoint a=v2')
    peer.ack('cluster')
    t.equal(await peer.next(), 'cluster a=v2')
    t.same(xds.faults, [])
  })

  t.test(`${protocol}: L11 thousands of streams on one connection, each told of its own resource alone`, async t => {
    const count = 1_000
    const names = Array.from({ length: count }, (_, index) => `e-${String(index)}`)
    const xds = await startXds(t, { resources: names.map(name => resource(`endpoint ${name}`)) })
    const streams = names.map(() => xds.open(protocol, 'endpoint'))
    await Promise.all(
      streams.map(async (stream, index) => {
        stream.ask('endpoint', [names[index] ?? ''])
        t.same((await stream.take([names[index] ?? ''])).names, [names[index]])
      }),
    )
    await until(() => xds.observed.filter(({ what }) => what === 'acked').length === count)
    xds.put(resource('endpoint e-7', 'v2'))
    t.same((await streams[7]?.next())?.names, ['e-7'])
    t.equal(xds.observed.filter(({ what }) => what === 'written').length, count + 1)
  })
}

t.test('L2 what is served stays when nothing is patched any more: a cache has no time to live', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const peer = xds.peer('delta')
  peer.subscribe('cluster', '*')
  await peer.take()
  xds.clock.advance(30 * 24 * 3_600_000)
  await xds.silent(t, peer.stream, 'sources may be away for as long as they like')
  const late = xds.peer('delta', 'envoy-2')
  late.subscribe('cluster', '*')
  t.equal(await late.take(), 'cluster a=v1')
})

t.test('L5 a connection ends at about its age, and its client comes back at once', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')], options: { maxConnectionAgeMs: 100 } })
  const stream = xds.open('delta')
  stream.ask('cluster', [])
  await stream.take()
  await stream.ended
  const again = xds.open('delta')
  again.ask('cluster', [], { initialResourceVersions: { a: resource('cluster a').version } })
  t.same((await again.take()).names, [], 'and has lost nothing')
})

/** A wire between a client and the server that can be cut without either of them being told. */
async function wire(t: { teardown(end: () => unknown): void }, port: number): Promise<{ port: number; cut(): void }> {
  const sockets: Socket[] = []
  let isCut = false
  const server = createServer(near => {
    const far = connect(port, '127.0.0.1')
    sockets.push(near, far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', data => isCut || to.write(data))
      from.on('error', () => undefined)
      from.on('close', () => isCut || to.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, cut: () => (isCut = true) }
}

t.test('L6 a client that vanished without a word is found by pings, and everything of it is freed', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')], options: { keepalive: { timeMs: 50, timeoutMs: 50 } } })
  const line = await wire(t, xds.port)
  const client = new RawClient(line.port)
  t.teardown(() => client.close())
  const stream = client.open('delta')
  stream.ask('cluster', [])
  await stream.take()
  line.cut()
  await until(() => xds.server.proxies.proxy('envoy-1')?.state === 'disconnected')
  t.same(xds.cache.kept, { watches: 0, uses: 0 })
})

t.test('L6 a client may ping as often as it likes', async t => {
  const xds = await startXds(t)
  const session = connectHttp2(`http://127.0.0.1:${String(xds.port)}`)
  t.teardown(() => session.destroy())
  let goneAway = false
  session.on('goaway', () => (goneAway = true))
  await once(session, 'connect')
  for (let ping = 0; ping < 200; ping++) await new Promise(resolve => session.ping(resolve))
  t.notOk(goneAway)
  t.notOk(session.closed)
})
