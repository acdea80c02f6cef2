import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ChannelCredentials, status } from '@grpc/grpc-js'
import t from 'tap'
import { readTls } from '../../src/settings/tls.ts'
import { typeUrls } from '../../src/xds/type-urls.ts'
import { temporaryFolder } from '../tools/local.ts'
import { type CertificateFiles, makeAuthority, makeCertificate } from './certificates.ts'
import { Harness, startXds } from './harness.ts'
import { RawClient } from './raw-client.ts'
import { resource } from './resources.ts'

t.test('TLS', async t => {
  const folder = await temporaryFolder(t)
  const [authority, stranger] = [await makeAuthority(folder, 'authority'), await makeAuthority(folder, 'stranger')]
  const server = await makeCertificate(folder, 'server', authority)
  const client = await makeCertificate(folder, 'client', authority)
  const strange = await makeCertificate(folder, 'strange-client', stranger)

  function open(port: number, own?: CertificateFiles, trusted = authority, node = { id: 'envoy-1', cluster: 'edge' }) {
    const read = (file: string | undefined) => (file === undefined ? null : readFileSync(file))
    const credentials = ChannelCredentials.createSsl(readFileSync(trusted.certFile), read(own?.keyFile), read(own?.certFile))
    const raw = new RawClient(port, credentials)
    t.teardown(() => raw.close())
    return raw.open('delta', 'ads', node)
  }

  await t.test('a client that trusts the authority is served over TLS, without a certificate of its own', async t => {
    const xds = await startXds(t, { tls: server, resources: [resource('cluster a')] })
    const stream = open(xds.port)
    stream.ask('cluster', [])
    t.same((await stream.next()).names, ['a'])
  })

  await t.test('neither plain text nor a client that trusts another authority gets through', async t => {
    const xds = await startXds(t, { tls: server })
    for (const stream of [xds.open('delta'), open(xds.port, undefined, stranger)]) {
      stream.ask('cluster', [])
      t.match(await stream.ended, { code: status.UNAVAILABLE })
    }
    t.same(xds.server.proxies.proxies(), [])
  })

  await t.test('with a client authority, only clients with a certificate from it are served', async t => {
    const xds = await startXds(t, { tls: { ...server, clientCaFile: authority.certFile }, resources: [resource('cluster a')] })
    for (const stream of [open(xds.port), open(xds.port, strange)]) {
      stream.ask('cluster', [])
      t.match(await stream.ended, { code: status.UNAVAILABLE })
    }
    t.same(xds.server.proxies.proxies(), [])
    const stream = open(xds.port, client)
    stream.ask('cluster', [])
    t.match(await stream.next(), { typeUrl: typeUrls.cluster, names: ['a'] })
  })

  await t.test('L10 a client is only let in as the node or cluster that its certificate names', async t => {
    const xds = await startXds(t, {
      tls: { ...server, clientCaFile: authority.certFile },
      options: { verifyNode: true },
      resources: [resource('cluster a', 'v1', ['secret s']), resource('secret s')],
    })
    const names: readonly (readonly [string, string, string])[] = [
      ['DNS:envoy-1', 'envoy-1', 'edge'],
      ['DNS:other.test,URI:spiffe://corp/ns/edge/sa/envoy-1', 'envoy-1', 'edge'],
      ['DNS:edge', 'any-id', 'edge'],
      ['DNS:*.edge.corp', 'a.edge.corp', 'edge'],
    ]
    for (const [index, [sans, id, cluster]] of names.entries()) {
      const own = await makeCertificate(folder, `own-${String(index)}`, authority, sans.split(','))
      const good = open(xds.port, own, authority, { id, cluster })
      good.ask('secret', ['s'])
      t.same((await good.next()).names, ['s'], sans)
      const bad = open(xds.port, own, authority, { id: 'somebody.else.corp', cluster: 'core' })
      bad.ask('secret', ['s'])
      t.match(await bad.ended, { code: status.PERMISSION_DENIED, details: /certificate is for .* not for node "somebody/ }, sans)
    }
    t.same(xds.faults, ['identity', 'identity', 'identity', 'identity'])
    t.equal(xds.logged.filter(line => /certificate does not name its node/.test(line.message)).length, 4)
  })

  await t.test('certificates are renewed while the server runs: new connections get the new one, open streams go on', async t => {
    const xds = await startXds(t, { tls: server, resources: [resource('cluster a')] })
    const before = open(xds.port)
    before.ask('cluster', [])
    await before.take()
    const renewed = await makeCertificate(folder, 'renewed', stranger)
    xds.server.renew(readTls('xds.tls', renewed))
    const refused = open(xds.port)
    refused.ask('cluster', [])
    t.match(await refused.ended, { code: status.UNAVAILABLE }, 'the new certificate comes from another authority')
    const after = open(xds.port, undefined, stranger)
    after.ask('cluster', [])
    t.same((await after.take()).names, ['a'])
    xds.put(resource('cluster a', 'v2'))
    t.same((await before.next()).names, ['a'])
    t.throws(() => xds.server.renew({ cert: Buffer.from('junk'), key: Buffer.from('junk') }))
    const still = open(xds.port, undefined, stranger)
    still.ask('cluster', [])
    t.same((await still.take()).names, ['a'], 'what cannot be used changes nothing')
  })

  await t.test('files that cannot be read or are no certificates make listen fail', async t => {
    const junk = join(folder, 'junk.pem')
    writeFileSync(junk, 'not a certificate')
    for (const tls of [
      { ...server, certFile: join(folder, 'absent.crt') },
      { ...server, keyFile: join(folder, 'absent.key') },
      { ...server, clientCaFile: join(folder, 'absent-ca.crt') },
      { ...server, certFile: junk },
      { ...server, keyFile: junk },
      { ...server, keyFile: client.keyFile },
    ]) {
      const harness = new Harness({})
      t.teardown(() => harness.close())
      await t.rejects(harness.listen(tls), JSON.stringify(tls))
    }
  })
})
