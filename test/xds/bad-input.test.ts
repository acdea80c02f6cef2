import { connect } from 'node:net'
import { status } from '@grpc/grpc-js'
import t from 'tap'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { type Harness, startXds, until } from './harness.ts'
import { RawClient, type RawStream } from './raw-client.ts'
import { resource } from './resources.ts'

const protocols = ['sotw', 'delta'] as const

/** Somebody else, on a connection of its own, is served as always. */
async function othersAreServed(t: { same(found: unknown, wanted: unknown, message: string): unknown }, xds: Harness): Promise<void> {
  const client = new RawClient(xds.port)
  const stream = client.open('delta', 'ads', { id: 'other' })
  stream.ask('cluster', [])
  t.same((await stream.next()).names, ['a'], 'others are served')
  client.close()
}

/** One line about a fault, however often it happened. */
function linesAbout(xds: Harness, fault: string): number {
  return xds.logged.filter(({ data }) => 'fault' in data && data.fault === fault).length
}

const counts = (xds: Harness, fault: string): number => xds.faults.filter(one => one === fault).length

t.test('bytes that are no HTTP/2 end their connection alone', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  for (const junk of ['GET / HTTP/1.1\r\n\r\n', '\0'.repeat(1000), `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(100)}`]) {
    const socket = connect(xds.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.on('data', () => undefined)
    socket.end(Buffer.from(junk, 'latin1'))
    await new Promise(resolve => socket.once('close', resolve))
  }
  await othersAreServed(t, xds)
})

for (const protocol of protocols) {
  t.test(`${protocol}: garbage: that stream ends, counted and logged once`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const stream = xds.open(protocol)
    for (let times = 0; times < 3; times++) stream.sendBytes(Buffer.from([0x0a, 0xff]))
    t.equal((await stream.ended).code, status.INTERNAL)
    t.equal(counts(xds, 'garbage'), 1)
    t.equal(linesAbout(xds, 'garbage'), 1)
    await othersAreServed(t, xds)
  })

  t.test(`${protocol}: C8 a thousand unknown types: so many are remembered and no more, one line`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const stream = xds.open(protocol)
    for (let type = 0; type < 1_000; type++) {
      const names = protocol === 'delta' ? { resourceNamesSubscribe: ['x'] } : { resourceNames: ['x'] }
      stream.send({ typeUrl: `type.googleapis.com/no.Such${String(type)}`, ...names })
    }
    stream.ask('cluster', ['a'])
    let answers = 0
    for (let response = await stream.next(); response.typeUrl !== typeUrls.cluster; response = await stream.next()) answers++
    t.equal(answers, protocol === 'delta' ? 32 : 0)
    t.ok(counts(xds, 'unknown-type') >= 32)
    t.equal(linesAbout(xds, 'unknown-type'), 1)
  })

  t.test(`${protocol}: C3 a client that changes its node id with every message stays who it was, one line`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const stream = xds.open(protocol)
    stream.ask('cluster', [])
    const response = await stream.next()
    for (let times = 0; times < 100; times++)
      stream.send({ node: { id: `other-${String(times)}` }, typeUrl: typeUrls.cluster, responseNonce: response.nonce })
    await until(() => counts(xds, 'renamed') === 100)
    t.equal(linesAbout(xds, 'renamed'), 1)
    t.same(
      xds.server.proxies.proxies().map(proxy => proxy.nodeId),
      ['envoy-1'],
    )
  })

  t.test(`${protocol}: a client that never acknowledges is sent one response in 10 s, however much changes`, async t => {
    const xds = await startXds(t, { resources: [resource('endpoint a')] })
    const peer = xds.peer(protocol)
    peer.subscribe('endpoint', 'a')
    await peer.next()
    for (let round = 1; round <= 5; round++) {
      for (let change = 0; change < 20; change++) xds.put(resource('endpoint a', `${String(round)}-${String(change)}`))
      await until(() => counts(xds, 'unanswered') === round - 1)
      await xds.clock.untilAsleep(10_000)
      xds.clock.advance(10_000)
      t.equal(await peer.next(), `endpoint a=${String(round)}-19`)
    }
    t.equal(xds.observed.filter(({ what }) => what === 'written').length, 6)
    t.equal(linesAbout(xds, 'unanswered'), 1)
    t.equal(xds.bounds.filter(bound => bound === 'answer').length, 5, 'D15 the use of the bound is counted')
  })

  t.test(`${protocol}: a client that refuses everything is given up on: others are served, each refusal is counted`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a')] })
    const peer = xds.peer(protocol)
    peer.subscribe('cluster', '*')
    const tries = await xds.settle(peer, () => peer.nack('cluster', 'no'))
    t.ok(tries > 0 && tries <= 2, `${String(tries)} tries for one resource`)
    t.equal(xds.observed.filter(({ what }) => what === 'nacked').length, tries)
    t.same(xds.faults, [], 'a NACK is no fault')
    await othersAreServed(t, xds)
  })

  t.test(`${protocol}: a flood of requests changes nothing for others, and each question is answered once`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('endpoint e')] })
    const flood = xds.open(protocol)
    flood.ask('endpoint', ['e'])
    await flood.next()
    for (let times = 0; times < 20_000; times++) flood.ask('endpoint', ['e'])
    await othersAreServed(t, xds)
    await xds.marker(flood)
    t.equal(
      xds.observed.filter(({ what, type }) => what === 'written' && type === 'endpoint').length,
      1,
      'the first answer was never acknowledged',
    )
  })

  t.test(`${protocol}: 100,000 names are taken, and what nobody can need ends the stream`, async t => {
    const xds = await startXds(t, { resources: [resource('cluster a'), resource('endpoint e-7')] })
    const names = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `e-${String(from + index)}`)
    const stream = xds.open(protocol)
    stream.ask('endpoint', names(0, 100_000))
    t.same((await stream.take(names(0, 100_000))).names, ['e-7'])
    stream.ask('endpoint', protocol === 'delta' ? names(100_000, 250_001) : names(0, 250_001))
    t.match(await stream.ended, { code: status.RESOURCE_EXHAUSTED, details: /250000 names/ })
    t.equal(linesAbout(xds, 'too-many-names'), 1)
    await until(() => xds.cache.kept.watches === 0)
    await othersAreServed(t, xds)
  })
}

t.test('names that are too long all together end the stream, also of types that are not served', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const name = (index: number) => String(index).padEnd(1_000_000, 'x')
  const flood = async (stream: RawStream, typeUrl: string): Promise<void> => {
    for (let index = 0; index < 80; index++) stream.send({ typeUrl, resourceNamesSubscribe: [name(index)] })
    t.equal((await stream.ended).code, status.RESOURCE_EXHAUSTED)
  }
  await flood(xds.open('delta'), typeUrls.endpoint)
  await flood(xds.open('delta'), 'type.googleapis.com/no.Such')
  await othersAreServed(t, xds)
})

t.test('a request beyond the limit of 64 MiB ends that stream alone', async t => {
  const xds = await startXds(t, { resources: [resource('cluster a')] })
  const stream = xds.open('sotw')
  stream.sendBytes(Buffer.alloc(65 * 1024 * 1024))
  t.equal((await stream.ended).code, status.RESOURCE_EXHAUSTED)
  await othersAreServed(t, xds)
})
