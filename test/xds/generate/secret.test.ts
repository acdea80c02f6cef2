import { inspect } from 'node:util'
import t from 'tap'
import { HiddenText } from '../../../src/model/hidden-text.ts'
import { decodeMessage, encodeMessage } from '../../../src/xds/codec.ts'
import { generateSecret, sdsConfig, secretKey } from '../../../src/xds/generate/secret.ts'
import { generateStructure } from '../../../src/xds/generate/structure.ts'
import { tableOf } from './tables.ts'

const message = 'envoy.extensions.transport_sockets.tls.v3.Secret'
const certificate = { kind: 'certificate', name: 'web', certificateChain: 'CHAIN', privateKey: new HiddenText('KEY') } as const

t.test('a certificate with its key', async t => {
  const made = generateSecret(certificate)
  t.match(made, { ...secretKey('web'), onDemand: true, requires: [] })
  t.same(decodeMessage(message, made.bytes), {
    name: 'web',
    tlsCertificate: { certificateChain: { inlineString: 'CHAIN' }, privateKey: { inlineString: 'KEY' } },
  })
})

t.test('authorities, with and without revocations', async t => {
  const validation = { kind: 'validation', name: 'clients', trustedCa: 'CA' } as const
  t.same(decodeMessage(message, generateSecret(validation).bytes), {
    name: 'clients',
    validationContext: { trustedCa: { inlineString: 'CA' } },
  })
  t.same(decodeMessage(message, generateSecret({ ...validation, crl: 'CRL' }).bytes), {
    name: 'clients',
    validationContext: { trustedCa: { inlineString: 'CA' }, crl: { inlineString: 'CRL' } },
  })
})

t.test('a table publishes its secrets, and what refers to them goes over the same stream', async t => {
  const table = { ...tableOf([], []), secrets: [certificate] }
  t.same(
    generateStructure(table).filter(one => one.type === 'secret'),
    [generateSecret(certificate)],
  )
  const socket = 'envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'
  const context = { commonTlsContext: { tlsCertificateSdsSecretConfigs: [sdsConfig('web')] } }
  t.match(decodeMessage(socket, encodeMessage(socket, context)), {
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: 'web', sdsConfig: { ads: {} } }] },
  })
})

t.test('the key of a route table is not shown by accident', async t => {
  for (const text of [JSON.stringify(certificate), inspect(certificate, { depth: 9, showHidden: true }), String(certificate.privateKey)])
    t.notMatch(text, /KEY/)
})
