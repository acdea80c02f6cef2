import { copyFile, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../tools/process.ts'
import { type CertificateFiles, makeAuthority, makeCertificate } from '../xds/certificates.ts'
import { get } from './get.ts'
import { mappingObject } from './stage.ts'
import { ask, begin, object, secret } from './tls-stage.ts'

/** emissary-resources.md 3 to 6: fields of Listener, Host and TLSContext that other tests here do not show. */

const labelled = (value: object, labels: Readonly<Record<string, string>>, namespace = 'default'): object => {
  const { metadata } = value as { metadata: object }
  return { ...value, metadata: { ...metadata, labels, namespace } }
}
/** One cipher, one curve. */
const hard = { cipher_suites: ['ECDHE-ECDSA-AES256-GCM-SHA384'], ecdh_curves: ['P-384'] }
const matching = (labels: object): object => ({ matchLabels: labels })

t.test('certificates, authorities and options of files and contexts; which Hosts a Listener takes; what upstreams hear', async t => {
  const { stage, folder, authority, port, certificate } = await begin(t)
  const files = join(folder, 'envoy')
  await mkdir(files)
  const install = async (name: string, { certFile, keyFile }: CertificateFiles): Promise<void> => {
    // As a whole, by a rename: Envoy watches the folder.
    for (const [from, to] of [
      [keyFile, `${name}.key`],
      [certFile, `${name}.crt`],
    ] as const) {
      await copyFile(from, join(files, 'next'))
      await rename(join(files, 'next'), join(files, to))
    }
  }
  await install('server', await certificate('by-file', 'files.example', 'ctx.example'))
  await install('authority', authority)
  const [client, stranger] = [
    await certificate('client', 'c.example', 'URI:spiffe://corp/client'),
    await makeCertificate(folder, 'stranger', await makeAuthority(folder, 'strangers'), ['s']),
  ]
  const pair = { cert_chain_file: join(files, 'server.crt'), private_key_file: join(files, 'server.key') }
  const clients = { cacert_chain_file: join(files, 'authority.crt'), cert_required: true }
  const named = (hostname: string, spec: object): object => object('Host', hostname.split('.')[0] ?? '', { hostname, ...spec })
  const take = { edge: 'yes' }
  const all = [
    object('Listener', 'edge', {
      ...{ port, protocol: 'HTTPS', securityModel: 'XFP', l7Depth: 1, statsPrefix: 'edge-name' },
      hostBinding: { namespace: { from: 'ALL' }, selector: matching(take) },
    }),
    labelled(named('files.example', { tls: { ...pair, ...clients, max_tls_version: 'v1.2', ...hard } }), take),
    labelled(named('ctx.example', { tlsContext: { name: 'ctx' }, selector: matching({ for: 'ctx' }) }), take),
    labelled(named('plain.example', { tlsSecret: { name: 'cert.other' } }), take),
    named('left.example', { tlsSecret: { name: 'cert.other' } }),
    object('TLSContext', 'ctx', { ...pair, ...clients }),
    labelled(await secret('cert', await certificate('by-secret', 'plain.example')), {}, 'other'),
    object('TLSContext', 'inside', { hosts: ['inside.example'], secret: 'cert.other', secret_namespacing: false }),
    labelled(object('Host', 'inside', { hostname: 'inside.example' }), take),
    mappingObject('web', { hostname: '*', prefix: '/web/', service: 'web' }),
    labelled({ ...mappingObject('own', { prefix: '/own/', service: 'web' }), spec: { prefix: '/own/', service: 'web' } }, { for: 'ctx' }),
    object('Module', 'ambassador', {
      config: {
        forward_client_cert_details: 'SANITIZE_SET',
        set_current_client_cert_details: { subject: true, dns: true, uri: true, cert: true, chain: true },
      },
    }),
  ]
  await stage.manifests('all', all)
  await eventually('TLS is served', async () => (await ask(port, '/web/', { sni: 'files.example', own: client })).status === 200)

  t.equal((await ask(port, '/web/', { sni: 'files.example', own: client })).certificate, 'by-file')
  t.equal((await ask(port, '/own/', { sni: 'ctx.example', own: client })).status, 200, 'selector, and tlsContext with files')
  t.equal((await ask(port, '/web/', { sni: 'ctx.example', own: client })).status, 404, 'the selector does not take it')
  for (const sni of ['files.example', 'ctx.example']) {
    await t.rejects(ask(port, '/own/', { sni }), `${sni} demands a certificate`)
    await t.rejects(ask(port, '/own/', { sni, own: stranger }), 'of the authority in the file')
  }
  await t.rejects(ask(port, '/web/', { sni: 'left.example' }), 'the Listener does not take this Host')
  await t.rejects(ask(port, '/web/', { sni: 'inside.example' }), 'without secret_namespacing a Secret of another namespace is none')
  t.match(await stage.api('/api/v1/objects/Host/default/inside'), { notices: [/there is no Secret default\/cert\.other/] })

  const curve = { sni: 'files.example', own: client }
  await t.rejects(ask(port, '/web/', { ...curve, more: { ecdhCurve: 'P-256' } }), 'ecdh_curves')
  await t.rejects(ask(port, '/web/', { ...curve, more: { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } }), 'cipher_suites')
  await t.rejects(ask(port, '/web/', { ...curve, more: { minVersion: 'TLSv1.3' } }), 'max_tls_version')

  const heard = async (sni: string): Promise<Readonly<Record<string, string>>> => {
    const more = { headers: { 'x-forwarded-for': '198.51.100.1, 192.0.2.9', 'x-forwarded-client-cert': 'By=somebody' } }
    return (JSON.parse((await ask(port, '/web/', { sni, own: client, more })).body) as { headers: Record<string, string> }).headers
  }
  const told = await heard('files.example')
  t.equal(told['x-envoy-external-address'], '192.0.2.9', 'l7Depth: one hop before us is trusted')
  const certificateTold = told['x-forwarded-client-cert'] ?? ''
  for (const part of ['Subject="CN=client"', 'DNS=c.example', 'URI=spiffe://corp/client', 'Cert="-----BEGIN', 'Chain="-----BEGIN'])
    t.ok(certificateTold.includes(part), part)
  t.notOk(certificateTold.includes('somebody'), 'what the client says of itself is dropped')
  t.equal((await heard('plain.example'))['x-forwarded-client-cert'], undefined, 'without a certificate there is nothing to tell')
  t.ok(
    [...(await stage.envoy.stats('^http.edge-name.downstream_rq_total$')).values()].some(count => count > 0),
    'statsPrefix',
  )
  t.equal((await get(`${stage.url}/web/`).catch(() => ({ status: 0 }))).status, 0, 'the Listener of the stage is gone')

  await install('server', await certificate('by-new-file', 'files.example', 'ctx.example'))
  await eventually(
    'files that change are read again',
    async () => (await ask(port, '/web/', { sni: 'files.example', own: client })).certificate === 'by-new-file',
  )
})
