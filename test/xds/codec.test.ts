import t from 'tap'
import { any, decodeMessage, duration, encodeMessage } from '../../src/xds/codec.ts'
import { decodeDeltaRequest, decodeSotwRequest } from '../../src/xds/request.ts'

const cluster = 'envoy.config.cluster.v3.Cluster'
const node = 'envoy.config.core.v3.Node'

t.test('what is encoded decodes to canonical JSON: enums by name, durations as text, wrappers bare, Any expanded', t => {
  const message = {
    name: 'web',
    type: 'EDS',
    connectTimeout: duration(1_250),
    perConnectionBufferLimitBytes: { value: 32_768 },
    respectDnsTtl: true,
    typedExtensionProtocolOptions: {
      http: any('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', { explicitHttpConfig: { http2ProtocolOptions: {} } }),
    },
  }
  t.match(decodeMessage(cluster, encodeMessage(cluster, message)), {
    name: 'web',
    type: 'EDS',
    connectTimeout: '1.25s',
    perConnectionBufferLimitBytes: 32_768,
    respectDnsTtl: true,
    typedExtensionProtocolOptions: {
      http: {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
  })
  t.end()
})

t.test('C17 maps are written by sorted keys, so that equal content is equal bytes', t => {
  const metadata = (...keys: string[]) => ({
    metadata: { filterMetadata: Object.fromEntries(keys.map(key => [key, { fields: { of: { stringValue: key } } }])) },
  })
  t.ok(encodeMessage(cluster, metadata('b', 'a', 'c')).equals(encodeMessage(cluster, metadata('c', 'b', 'a'))))
  const ids = (...keys: string[]) => ({ labels: Object.fromEntries(keys.map(key => [key, 'x'])) })
  const stats = 'envoy.config.core.v3.Node'
  t.throws(() => encodeMessage(stats, ids('a')), /no field "labels"/)
  const dynamic = (...keys: string[]) => ({ dynamicParameters: Object.fromEntries(keys.map(key => [key, { params: { [key]: '1' } }])) })
  t.ok(encodeMessage(node, dynamic('2', '10', 'b', 'a')).equals(encodeMessage(node, dynamic('a', 'b', '10', '2'))))
  t.end()
})

t.test('nothing is dropped in silence: what cannot be encoded is named by its path', t => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [{ nmae: 'web' }, /^envoy\.config\.cluster\.v3\.Cluster: Cluster has no field "nmae"$/],
    [{ connect_timeout: {} }, /no field "connect_timeout"/],
    [{ type: 'EDZ' }, /Cluster\.type: DiscoveryType has no value "EDZ"/],
    [{ type: 33 }, /has no value 33/],
    [{ type: null }, /has no value null/],
    [{ type: true }, /has no value true/],
    [{ name: 7 }, /Cluster\.name: expected a string, got 7/],
    [{ respectDnsTtl: 'yes' }, /respectDnsTtl: expected a boolean/],
    [{ connectTimeout: 5 }, /connectTimeout: expected an object/],
    [{ connectTimeout: { seconds: '5' } }, /connectTimeout\.seconds: expected a number/],
    [{ connectTimeout: null }, /connectTimeout: expected an object/],
    [{ healthChecks: {} }, /healthChecks: expected a list/],
    [{ healthChecks: [{}, { timeout: { nanoz: 1 } }] }, /healthChecks\[1\]\.timeout: Duration has no field "nanoz"/],
    [
      { typedExtensionProtocolOptions: { http: { type_url: 'x', value: 'text' } } },
      /typedExtensionProtocolOptions\[http\]\.value: expected a/,
    ],
    [{ metadata: { filterMetadata: [] } }, /filterMetadata: expected an object/],
  ]
  for (const [message, error] of refused) t.throws(() => encodeMessage(cluster, { ...message }), { name: 'TypeError', message: error })
  t.throws(() => encodeMessage('envoy.NoSuchMessage', {}), /NoSuchMessage/)
  t.end()
})

t.test('fields set to undefined are left out', t => {
  t.ok(encodeMessage(cluster, { name: 'web', type: undefined }).equals(encodeMessage(cluster, { name: 'web' })))
  t.end()
})

t.test('an Any of a type that is not ours is shown as its bytes', t => {
  const bytes = encodeMessage(cluster, { typedExtensionProtocolOptions: { x: { type_url: 'a.b/none.Such', value: Buffer.from([1, 2]) } } })
  t.match(decodeMessage(cluster, bytes), { typedExtensionProtocolOptions: { x: { '@type': 'a.b/none.Such', value: 'AQI=' } } })
  t.end()
})

t.test('durations of whole milliseconds', t => {
  const rows: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [1, '0.001s'],
    [250, '0.25s'],
    [1_000, '1s'],
    [1_001, '1.001s'],
    [86_400_000, '86400s'],
    [123_456_789, '123456.789s'],
  ]
  for (const [ms, text] of rows)
    t.equal(decodeMessage(cluster, encodeMessage(cluster, { connectTimeout: duration(ms) }))['connectTimeout'], text)
  t.end()
})

t.test('structs of any JSON come back as they were', t => {
  const runtime = 'envoy.service.runtime.v3.Runtime'
  const fields = {
    text: { stringValue: 'a' },
    number: { numberValue: 1.5 },
    yes: { boolValue: true },
    none: { nullValue: 'NULL_VALUE' },
    list: { listValue: { values: [{ numberValue: 1 }, { structValue: { fields: { in: { stringValue: 'b' } } } }] } },
  }
  t.same(decodeMessage(runtime, encodeMessage(runtime, { name: 'r', layer: { fields } })), {
    name: 'r',
    layer: { text: 'a', number: 1.5, yes: true, none: null, list: [1, { in: 'b' }] },
  })
  t.end()
})

t.test('requests are decoded as the codec writes them', t => {
  const common = {
    node: {
      id: 'e-1',
      cluster: 'edge',
      locality: { region: 'r', zone: 'a' },
      userAgentName: 'envoy',
      userAgentBuildVersion: { version: { majorNumber: 1, minorNumber: 40, patch: 0 } },
      clientFeatures: ['x', 'y'],
      metadata: { fields: { role: { stringValue: 'edge' } } },
    },
    typeUrl: 'type/T',
    responseNonce: 'n1',
    errorDetail: { code: 13, message: 'no' },
  }
  const node = { id: 'e-1', cluster: 'edge', userAgent: 'envoy 1.40.0', clientFeatures: ['x', 'y'], place: { region: 'r', zone: 'a' } }
  const base = { node, typeUrl: 'type/T', nonce: 'n1', error: { code: 13, message: 'no' } }
  t.same(
    decodeSotwRequest(
      encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', { ...common, versionInfo: 'v', resourceNames: ['a', 'b'] }),
    ),
    { ...base, protocol: 'sotw', version: 'v', names: ['a', 'b'] },
  )
  const delta = {
    ...common,
    resourceNamesSubscribe: ['a', 'ä'],
    resourceNamesUnsubscribe: ['*'],
    initialResourceVersions: { a: '1', 'type http://b': '' },
  }
  t.same(decodeDeltaRequest(encodeMessage('envoy.service.discovery.v3.DeltaDiscoveryRequest', delta)), {
    ...base,
    protocol: 'delta',
    subscribe: ['a', 'ä'],
    unsubscribe: ['*'],
    initialVersions: new Map([
      ['a', '1'],
      ['type http://b', ''],
    ]),
  })
  t.same(decodeSotwRequest(Buffer.alloc(0)), {
    protocol: 'sotw',
    node: undefined,
    typeUrl: '',
    nonce: '',
    error: undefined,
    version: '',
    names: [],
  })
  t.end()
})

t.test('fields of requests that we do not know are skipped', t => {
  const bytes = Buffer.concat([
    Buffer.from([0xfa, 0x07, 0x02, 0x01, 0x02]),
    encodeMessage('envoy.service.discovery.v3.DiscoveryRequest', { typeUrl: 'T' }),
    Buffer.from([0xf8, 0x07, 0x05]),
  ])
  t.match(decodeSotwRequest(bytes), { typeUrl: 'T' })
  t.end()
})

t.test('bytes that are no request are refused', t => {
  for (const bytes of [[0x0a, 0xff], [0x0a], [0x22, 0x05, 0x61], [0x12, 0x02, 0x0a, 0x09], [0x07], [0x0f, 0x01]]) {
    t.throws(() => decodeSotwRequest(Buffer.from(bytes)), bytes.join())
  }
  for (const bytes of [
    [0x0a, 0x02, 0x0a, 0x09],
    [0x2a, 0x03, 0x0a, 0x09, 0x61],
    [0x12, 0x7f],
  ]) {
    t.throws(() => decodeDeltaRequest(Buffer.from(bytes)), bytes.join())
  }
  t.end()
})
