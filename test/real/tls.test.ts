import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { freePort } from '../tools/local.ts'
import { eventually } from '../tools/process.ts'
import { type CertificateFiles, makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { mappingObject } from './stage.ts'
import { ask, begin, host, httpsListener, object, secret } from './tls-stage.ts'

const web = mappingObject('web', { prefix: '/web/', service: 'web' })

t.test('each Host shows its certificate by SNI; a renewed one is shown without touching the listener', async t => {
  const { stage, authority, port, certificate } = await begin(t)
  const ca = await readFile(authority.certFile)
  const [a, wild, other] = [
    await certificate('a', 'a.example'),
    await certificate('wild', '*.wild.example'),
    await certificate('other', 'x'),
  ]
  const plainPort = await freePort()
  const all = [
    httpsListener(port),
    httpsListener(plainPort, 'HTTP'),
    web,
    host('a.example', 'a', { tlsSecret: { name: 'a' } }),
    host('*.wild.example', 'wild', { tlsSecret: { name: 'wild.default' } }),
    host('*', 'other', { tlsSecret: { name: 'other', namespace: 'default' } }),
    host('bare.example', 'bare', {}),
    host('late.example', 'late', { tlsSecret: { name: 'late' } }),
  ]
  await stage.manifests('secrets', [await secret('a', a), await secret('wild', wild), await secret('other', other)])
  await stage.manifests('routes', all)
  await eventually('TLS is served', async () => (await ask(port, '/web/', { sni: 'a.example', ca })).status === 200)
  for (const [sni, shown] of [
    ['a.example', 'a'],
    ['b.wild.example', 'wild'],
    ['elsewhere.example', 'other'],
  ] as const)
    t.match(await ask(port, '/web/', { sni }), { status: 200, certificate: shown }, sni)
  t.match(JSON.parse((await ask(port, '/web/', { sni: 'a.example' })).body), { headers: { 'x-forwarded-proto': 'https' } })
  const redirected = await fetch(`http://127.0.0.1:${String(plainPort)}/web/`, { redirect: 'manual' })
  t.equal(redirected.status, 301, 'cleartext is redirected as the Hosts say')
  t.match(await stage.api('/api/v1/objects/Host/default/late'), {
    state: 'accepted',
    notices: [/TLS for late\.example is not served: there is no Secret default\/late/],
  })

  const listeners = async (): Promise<unknown> => {
    const dump = (await (await fetch(`${stage.envoy.adminUrl}/config_dump?resource=dynamic_listeners`)).json()) as {
      configs: { name: string; active_state?: { last_updated: string } }[]
    }
    return dump.configs.flatMap(one => (one.active_state === undefined ? [] : [[one.name, one.active_state.last_updated]]))
  }
  const before = await listeners()
  const renewed = await certificate('a-renewed', 'a.example')
  let failed = 0
  const renewedSeen = new AbortController()
  const load = (async () => {
    while (!renewedSeen.signal.aborted)
      if ((await ask(port, '/web/', { sni: 'a.example', ca }).catch(() => ({ status: 0 }))).status !== 200) failed++
  })()
  await stage.manifests('secrets', [await secret('a', renewed), await secret('wild', wild), await secret('other', other)])
  await eventually('the renewed one is shown', async () => (await ask(port, '/web/', { sni: 'a.example' })).certificate === 'a-renewed')
  renewedSeen.abort()
  await load
  t.equal(failed, 0, 'no request failed')
  t.strictSame(await listeners(), before, 'no listener was sent again')

  const mixed = { certFile: a.certFile, keyFile: wild.keyFile }
  await stage.manifests('secrets', [await secret('a', mixed), await secret('wild', wild), await secret('other', other)])
  const status = (): Promise<{ state: string }> => stage.api('/api/v1/objects/Secret/default/a')
  await eventually('the bad Secret is refused', async () => (await status()).state === 'refused')
  t.match(await status(), { lastGood: true, problems: [{ path: 'data.tls.key', text: /is not the key of the certificate/ }] })
  t.equal((await ask(port, '/web/', { sni: 'a.example' })).certificate, 'a-renewed', 'its last good version serves')
  const shown = JSON.stringify([await stage.api('/api/v1/proxies/edge-1/resources/secret'), await status()])
  t.notOk(shown.includes('PRIVATE KEY'), 'nobody is shown a key')
})

t.test('a Host may demand client certificates; no other name leads to its routes', async t => {
  const { stage, folder, authority, port, certificate } = await begin(t)
  const strangers = await makeAuthority(folder, 'strangers')
  const server = await certificate('server', 'safe.example', 'open.example')
  const [client, revoked] = [await certificate('client', 'c'), await certificate('revoked', 'r')]
  const stranger = await makeCertificate(folder, 'stranger', strangers, ['s'])
  const crl = await revocationList(folder, authority, revoked)
  await stage.manifests('all', [
    httpsListener(port),
    web,
    await secret('server', server),
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'clients' },
      stringData: { 'ca.crt': await readFile(authority.certFile, 'utf8') },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'gone' }, stringData: { 'crl.pem': crl } },
    object('TLSContext', 'strict', {
      ...{ hosts: ['safe.example'], secret: 'server', ca_secret: 'clients', crl_secret: 'gone', cert_required: true },
      ...{ min_tls_version: 'v1.2', max_tls_version: 'v1.2', alpn_protocols: 'h2,http/1.1' },
    }),
    host('safe.example', 'safe', {}),
    host('open.example', 'open', { tlsSecret: { name: 'server' } }),
  ])
  await eventually('open', async () => (await ask(port, '/web/', { sni: 'open.example' })).status === 200)
  t.equal((await ask(port, '/web/', { sni: 'safe.example', own: client })).status, 200)
  for (const [who, own] of [
    ['nobody', undefined],
    ['a stranger', stranger],
    ['one who was revoked', revoked],
  ] as const)
    await t.rejects(ask(port, '/web/', { sni: 'safe.example', ...(own === undefined ? {} : { own }) }), who)
  t.equal((await ask(port, '/web/', { sni: 'open.example', host: 'safe.example' })).status, 404, 'the other name does not lead here')
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: 'safe.example',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    cert: await readFile(client.certFile),
    key: await readFile(client.keyFile),
  })
  await once(socket, 'secureConnect')
  t.strictSame([socket.alpnProtocol, socket.getProtocol()], ['h2', 'TLSv1.2'])
  socket.destroy()
})

t.test('PROXY is read before TLS and before HTTP, v1 and v2, and says who the client is', async t => {
  const { stage, port, certificate } = await begin(t)
  const plainPort = await freePort()
  await stage.manifests('all', [
    httpsListener(port, 'HTTPSPROXY'),
    object('Listener', 'plain', {
      ...{ port: plainPort, protocolStack: ['HTTP', 'PROXY', 'TCP'], securityModel: 'INSECURE' },
      hostBinding: { namespace: { from: 'ALL' } },
    }),
    web,
    await secret('server', await certificate('server', 'a.example')),
    object('Host', 'a', { hostname: '*', tlsSecret: { name: 'server' }, requestPolicy: { insecure: { action: 'Route' } } }),
  ])
  const v1 = Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 40000 80\r\n')
  const v2 = Buffer.concat([
    Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'),
    Buffer.from([192, 0, 2, 8, 192, 0, 2, 1, 0x9c, 0x40, 0, 80]),
  ])
  const throughProxy = async (at: number, header: Buffer, secure: boolean): Promise<string> => {
    const tcp = connectTcp({ port: at, host: '127.0.0.1' })
    await once(tcp, 'connect')
    tcp.write(header)
    const socket = secure ? connect({ socket: tcp, servername: 'a.example', rejectUnauthorized: false }) : tcp
    if (secure) await once(socket, 'secureConnect')
    socket.write('GET /web/ HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n')
    let text = ''
    socket.setEncoding('utf8').on('data', (more: string) => (text += more))
    await once(socket, 'close')
    return text
  }
  await eventually('it serves', async () => (await throughProxy(plainPort, v1, false)).includes('200 OK'))
  for (const [at, secure] of [
    [plainPort, false],
    [port, true],
  ] as const) {
    t.match(await throughProxy(at, v1, secure), /"x-forwarded-for":"192\.0\.2\.7"/)
    t.match(await throughProxy(at, v2, secure), /"x-forwarded-for":"192\.0\.2\.8"/)
  }
})

/** A list with one certificate taken back, made by openssl's own little authority. */
async function revocationList(folder: string, authority: CertificateFiles, revoked: CertificateFiles): Promise<string> {
  const run = promisify(execFile)
  const list = join(folder, 'list.pem')
  await writeFile(join(folder, 'index'), '')
  await writeFile(
    join(folder, 'ca.conf'),
    `[ca]\ndefault_ca=own\n[own]\ndatabase=${join(folder, 'index')}\ndefault_md=sha256\ndefault_crl_days=2\n`,
  )
  const as = ['-config', join(folder, 'ca.conf'), '-cert', authority.certFile, '-keyfile', authority.keyFile]
  await run('openssl', ['ca', ...as, '-revoke', revoked.certFile])
  await run('openssl', ['ca', ...as, '-gencrl', '-out', list])
  return readFile(list, 'utf8')
}
