import * as grpc from '@grpc/grpc-js'
import t, { type Test } from 'tap'
import { decodeMessage, encodeMessage, type PlainMessage } from '../../src/xds/codec.ts'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { type Harness, startXds, until } from './harness.ts'
import { resource } from './resources.ts'

interface Answer {
  readonly config?: readonly {
    readonly node: { readonly id: string; readonly cluster: string }
    readonly genericXdsConfigs?: readonly Readonly<Record<string, unknown>>[]
  }[]
}

const service = '/envoy.service.status.v3.ClientStatusDiscoveryService/'
const asIs = (bytes: Buffer): Buffer => bytes
const read = (bytes: Buffer): Answer => decodeMessage('envoy.service.status.v3.ClientStatusResponse', bytes)
const asked = (request: PlainMessage): Buffer => encodeMessage('envoy.service.status.v3.ClientStatusRequest', request)

function client(t: Test, xds: Harness): grpc.Client {
  const made = new grpc.Client(`127.0.0.1:${String(xds.port)}`, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  t.teardown(() => made.close())
  return made
}

function fetchStatus(t: Test, xds: Harness, request: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    client(t, xds).makeUnaryRequest(`${service}FetchClientStatus`, asIs, asIs, request, (error, bytes) => {
      if (bytes !== undefined) resolve(read(bytes))
      else reject(error ?? new Error('no answer'))
    })
  })
}

/** Name, ConfigStatus and ClientResourceStatus of everything that a client has. */
function states({ config = [] }: Answer, node = 'envoy-1'): readonly string[] {
  const configs = config.find(one => one.node.id === node)?.genericXdsConfigs ?? []
  return configs.map(one => [one['name'], one['configStatus'], one['clientStatus']].map(String).join(' '))
}

for (const protocol of ['sotw', 'delta'] as const) {
  t.test(`${protocol}: X6 CSDS tells per resource what a client acknowledged, what is under way, and what it refused`, async t => {
    const xds = await startXds(t, { resources: [resource('endpoint a'), resource('endpoint b')] })
    const peer = xds.peer(protocol)
    peer.subscribe('endpoint', 'a', 'b', 'absent')
    await peer.next()
    t.same(states(await fetchStatus(t, xds, asked({}))), ['a STALE REQUESTED', 'absent SYNCED DOES_NOT_EXIST', 'b STALE REQUESTED'])
    peer.ack('endpoint')
    await xds.marker(peer.stream)
    xds.put(resource('endpoint a', 'v2'))
    await peer.next()
    peer.nack('endpoint', 'a: no')
    await xds.marker(peer.stream)
    const answer = await fetchStatus(t, xds, asked({}))
    t.match(states(answer), ['a ERROR NACKED', 'absent SYNCED DOES_NOT_EXIST', 'b SYNCED ACKED'])
    t.match(answer.config, [
      {
        node: { id: 'envoy-1', cluster: 'edge' },
        genericXdsConfigs: [
          {
            typeUrl: typeUrls.endpoint,
            versionInfo: resource('endpoint a').version,
            xdsConfig: { clusterName: 'a' },
            errorState: { details: 'a: no', versionInfo: resource('endpoint a', 'v2').version },
          },
        ],
      },
    ])
  })
}

t.test('X6 no content of a secret is told, and no content at all if it is not asked for', async t => {
  const xds = await startXds(t, { resources: [resource('listener l', 'v1', ['secret s']), resource('secret s', 'PRIVATE')] })
  const peer = xds.peer('delta')
  peer.subscribe('secret', 's')
  await peer.take()
  await xds.marker(peer.stream)
  const whole = await fetchStatus(t, xds, asked({}))
  t.match(whole.config?.[0]?.genericXdsConfigs?.[0], {
    name: 's',
    versionInfo: resource('secret s', 'PRIVATE').version,
    xdsConfig: { name: 's' },
  })
  t.notMatch(JSON.stringify(whole), /PRIVATE/)
  const bare = await fetchStatus(t, xds, asked({ excludeResourceContents: true }))
  t.notOk(bare.config?.[0]?.genericXdsConfigs?.some(one => 'xdsConfig' in one))
})

t.test('X6 nodes are chosen by their ids; who left is not told of', async t => {
  const xds = await startXds(t)
  const streams = ['edge-1', 'edge-2', 'core-1'].map(id => xds.open('delta', 'ads', id))
  for (const stream of streams) {
    stream.ask('cluster', [])
    await stream.take()
  }
  const nodes = async (...nodeIds: readonly PlainMessage[]) =>
    (await fetchStatus(t, xds, asked({ nodeMatchers: nodeIds.map(nodeId => ({ nodeId })) }))).config?.map(one => one.node.id) ?? []
  t.same(await nodes(), ['core-1', 'edge-1', 'edge-2'])
  t.same(await nodes({ exact: 'edge-1' }), ['edge-1'])
  t.same(await nodes({ prefix: 'EDGE', ignoreCase: true }), ['edge-1', 'edge-2'])
  t.same(await nodes({ suffix: '-1' }), ['core-1', 'edge-1'])
  t.same(await nodes({ contains: 'ore' }, { exact: 'edge-2' }), ['core-1', 'edge-2'])
  streams[0]?.cancel()
  await until(() => xds.server.proxies.proxy('edge-1')?.state === 'disconnected')
  t.same(await nodes(), ['core-1', 'edge-2'])
})

t.test('X6 what cannot be answered is refused with the reason', async t => {
  const xds = await startXds(t)
  for (const [request, reason] of [
    [asked({ nodeMatchers: [{ nodeId: { safeRegex: { regex: '.*' } } }] }), /safeRegex is not supported/],
    [asked({ nodeMatchers: [{ nodeId: {} }] }), /empty matcher/],
    [asked({ nodeMatchers: [{ nodeMetadatas: [{}] }] }), /node_metadatas/],
    [Buffer.from([0x0a, 0xff]), /no ClientStatusRequest/],
  ] as const)
    await t.rejects(fetchStatus(t, xds, request), { code: grpc.status.INVALID_ARGUMENT, details: reason })
})

t.test('X6 over a stream each request is answered', async t => {
  const xds = await startXds(t)
  const call = client(t, xds).makeBidiStreamRequest(`${service}StreamClientStatus`, asIs, asIs)
  const answers: Answer[] = []
  call.on('data', (bytes: Buffer) => void answers.push(read(bytes)))
  call.on('error', () => undefined)
  call.write(asked({}))
  await until(() => answers.length === 1)
  const peer = xds.peer('delta')
  peer.subscribe('cluster', '*')
  await peer.take()
  call.write(asked({}))
  await until(() => answers.length === 2)
  t.same(
    answers.map(one => one.config?.map(({ node }) => node.id) ?? []),
    [[], ['envoy-1']],
  )
  call.write(Buffer.from([0x0a, 0xff]))
  t.match(await new Promise(resolve => call.on('status', resolve)), { code: grpc.status.INVALID_ARGUMENT })
})
