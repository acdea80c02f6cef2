import { readFileSync } from 'node:fs'
import t from 'tap'
import { temporaryFolder } from '../tools/local.ts'
import { makeAuthority, makeCertificate, makeSelfSigned } from '../xds/certificates.ts'
import { host, object, Round } from './fixtures.ts'

const https = object('Listener', 'https', '{port: 8443, protocol: HTTPS, securityModel: XFP, hostBinding: {namespace: {from: ALL}}}')
const secure = (name: string, spec: string) => object('Host', name, `{hostname: ${name}.example, ${spec}}`)

t.test('how Hosts end TLS (emissary-resources.md 3, 5)', async t => {
  const folder = await temporaryFolder(t)
  const authority = await makeAuthority(folder, 'ca')
  const [one, other] = [await makeCertificate(folder, 'one', authority), await makeCertificate(folder, 'other', authority)]
  const text = (file: string) => readFileSync(file, 'utf8')
  const secret = (place: string, data: Readonly<Record<string, string>>) => {
    const [namespace, name] = place.split('/')
    return `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name ?? ''}, namespace: ${namespace ?? ''}}\nstringData: ${JSON.stringify(data)}\n`
  }
  const pair = (files: typeof one) => ({ 'tls.crt': text(files.certFile), 'tls.key': text(files.keyFile) })
  const [small, odd] = [await makeSelfSigned(folder, 'small', 'rsa:1024'), await makeSelfSigned(folder, 'odd', 'ec', 'secp256k1')]
  const secrets = [
    secret('default/one', pair(one)),
    secret('shop/other', pair(other)),
    secret('default/ca', { 'ca.crt': text(authority.certFile) }),
  ]

  const chainsOf = (...documents: readonly string[]) => {
    const { table } = new Round({ now: Date.now() }).apply(https, ...secrets, ...documents)
    return { chains: table.listeners[0]?.chains ?? [], secrets: table.secrets.map(({ name }) => name) }
  }

  await t.test('the certificate is tlsSecret, a TLSContext’s by name or by its hosts, or files', async t => {
    const context = (name: string, spec: string) => object('TLSContext', name, `{${spec}}`)
    const cases: readonly (readonly [host: string, context: string, certificate: string])[] = [
      ['tlsSecret: {name: one}', '', 'certificate|default/one'],
      ['tlsSecret: {name: other, namespace: shop}', '', 'certificate|shop/other'],
      ['tlsSecret: {name: other.shop}', '', 'certificate|shop/other'],
      ['tlsContext: {name: c}', 'secret: other.shop', 'certificate|shop/other'],
      ['', 'secret: one, hosts: [a.example]', 'certificate|default/one'],
      ['tlsContext: {name: c}', 'cert_chain_file: /tls/c.pem, private_key_file: /tls/k.pem', 'certificate-files|/tls/c.pem|/tls/k.pem'],
      ['tls: {cert_chain_file: /tls/c.pem, private_key_file: /tls/k.pem}', '', 'certificate-files|/tls/c.pem|/tls/k.pem'],
    ]
    for (const [spec, contextSpec, certificate] of cases) {
      const made = chainsOf(secure('a', spec), ...(contextSpec === '' ? [] : [context('c', contextSpec)]))
      t.match(made.chains, [{ serverNames: ['a.example'], tls: { certificate } }], spec)
      t.strictSame(made.secrets, [certificate], 'Envoys get the secrets that are used, and no other')
    }
    t.end()
  })

  await t.test('options are the Host’s own, else the TLSContext’s', t => {
    const context = object(
      'TLSContext',
      'c',
      '{secret: one, ca_secret: ca, min_tls_version: v1.2, alpn_protocols: "h2, http/1.1", cipher_suites: [A]}',
    )
    t.match(chainsOf(secure('a', 'tlsContext: {name: c}'), context).chains[0]?.tls, {
      ...{ validation: 'validation|default/ca', clientCertificateRequired: false, minVersion: 'v1.2' },
      ...{ alpn: ['h2', 'http/1.1'], cipherSuites: ['A'] },
    })
    const own = chainsOf(secure('a', 'tlsSecret: {name: one}, tls: {ca_secret: ca, cert_required: true, max_tls_version: v1.3}'))
    t.match(own.chains[0]?.tls, { clientCertificateRequired: true, maxVersion: 'v1.3' })
    t.end()
  })

  await t.test('what cannot be served is said by the object that asks for it', t => {
    const round = new Round({ now: Date.now() })
    const { table } = round.apply(
      https,
      ...secrets,
      secret('default/half', { 'tls.crt': text(one.certFile) }),
      secure('gone', 'tlsSecret: {name: gone}'),
      secure('half', 'tlsSecret: {name: half}'),
      secret('default/mixed', { ...pair(one), 'tls.key': text(other.keyFile) }),
      secure('mixed', 'tlsSecret: {name: mixed}'),
      secure('context', 'tlsContext: {name: gone}'),
      secure('bare', 'tls: {min_tls_version: v1.2}'),
      object('Host', 'glob', '{hostname: "glob.*", tlsSecret: {name: one}}'),
    )
    t.strictSame(table.listeners, [], 'a listener without any certificate is not opened')
    const notices = (name: string) => round.notices('Host', name).join()
    t.match(notices('gone'), /TLS for gone\.example is not served: there is no Secret default\/gone/)
    t.match(
      notices('mixed'),
      /not served: Secret default\/mixed cannot be used: data\.tls\.key is not the key of the certificate in tls\.crt/,
    )
    t.match(notices('half'), /Secret default\/half has no tls\.key/)
    t.match(notices('context'), /there is no usable TLSContext default\/gone/)
    t.match(notices('bare'), /name no certificate/)
    t.match(round.notices('Listener', 'https').join(), /glob\.\* .* is not served/)
    t.match(round.notices('Listener', 'https').join(), /port 8443 is not opened/)
    t.end()
  })

  await t.test('bad values are refused at their field', t => {
    const bad: readonly (readonly [kind: string, document: string, reason: RegExp])[] = [
      [
        'Secret',
        secret('default/x', { ...pair(one), 'tls.key': text(other.keyFile) }),
        /data\.tls\.key: is not the key of the certificate/,
      ],
      ['Secret', secret('default/x', { 'tls.crt': 'junk' }), /data\.tls\.crt: holds no PEM block CERTIFICATE/],
      [
        'Secret',
        secret('default/x', { 'ca.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }),
        /data\.ca\.crt: .* cannot be read/,
      ],
      [
        'Secret',
        secret('default/x', { 'tls.crt': text(one.certFile), 'tls.key': 'junk' }),
        /data\.tls\.key: holds no PEM block PRIVATE KEY/,
      ],
      ['Secret', secret('default/x', { 'crl.pem': 'junk' }), /data\.crl\.pem: holds no PEM block X509 CRL/],
      [
        'Secret',
        secret('default/x', { 'crl.pem': '-----BEGIN X509 CRL-----\nMAkCAQE=\n-----END X509 CRL-----' }),
        /data\.crl\.pem: holds a list that cannot be read/,
      ],
      [
        'Secret',
        secret('default/x', { 'tls.crt': text(authority.certFile) + text(one.certFile), 'tls.key': text(one.keyFile) }),
        /data\.tls\.key: is not the key of .*, but of a later one there: it must come first/,
      ],
      ['Secret', secret('default/x', pair(small)), /data\.tls\.crt: has an RSA key of 1024 bits: Envoy takes 2048 and more/],
      ['Secret', secret('default/x', pair(odd)), /data\.tls\.crt: has a key of the curve secp256k1: Envoy takes P-256/],
      ['TLSContext', object('TLSContext', 'x', '{cert_chain_file: /a}'), /spec\.private_key_file: is missing/],
      ['TLSContext', object('TLSContext', 'x', '{secret: a, cert_required: true}'), /spec\.cert_required: needs ca_secret/],
      ['TLSContext', object('TLSContext', 'x', '{secret: a, min_tls_version: v1.3, max_tls_version: v1.2}'), /v1\.3 is above/],
      ['Host', object('Host', 'x', '{tls: {}, tlsContext: {name: a}}'), /give tls or tlsContext/],
    ]
    for (const [kind, document, reason] of bad) {
      const round = new Round()
      round.apply(https, host, document)
      t.match(round.status(kind, 'x'), reason)
      t.notOk(round.status(kind, 'x').includes(text(one.keyFile).slice(30, 60)), 'no key is shown')
    }
    t.end()
  })

  await t.test('certificates and authorities that are over, or nearly, are served, and said to be so by all that use them', t => {
    const lifetime = 2 * 86_400_000
    const documents = [
      ...[https, ...secrets, secure('a', 'tlsSecret: {name: one}, tls: {ca_secret: ca}')],
      object('TLSContext', 'up', '{secret: other.shop, ca_secret: ca}'),
      object('Mapping', 'up', '{prefix: /, hostname: "*", service: "https://up", tls: up}'),
    ]
    const users: readonly (readonly [kind: string, name: string, what: readonly RegExp[]])[] = [
      ['Secret', 'one', [/^the certificate in Secret default\/one, CN=one /]],
      ['Secret', 'other', [/^the certificate in Secret shop\/other, CN=other /]],
      ['Secret', 'ca', [/^the authority in Secret default\/ca, CN=ca /]],
      ['Host', 'a', [/^the certificate in Secret default\/one/, /^the authority in Secret default\/ca/]],
      ['TLSContext', 'up', [/^the certificate in Secret shop\/other/, /^the authority in Secret default\/ca/]],
      ['Mapping', 'up', [/^the certificate in Secret shop\/other/, /^the authority in Secret default\/ca/]],
    ]
    const moments: readonly (readonly [now: number | undefined, text: RegExp | undefined])[] = [
      [undefined, undefined],
      [Date.now(), undefined],
      [Date.now() + 0.97 * lifetime, / is over soon, at \d{4}-.*Z; renew it$/],
      [Date.now() + 1.5 * lifetime, / is over since \d{4}-.*Z: it is refused; renew it$/],
      [Date.now() - lifetime, / counts only from \d{4}-.*Z: it is refused until then$/],
    ]
    for (const [now, text] of moments) {
      const round = new Round(now === undefined ? {} : { now })
      t.equal(round.apply(...documents).table.listeners[0]?.chains.length, 1)
      for (const [kind, name, what] of users) {
        const notices = round.notices(kind, name)
        t.match(notices, text === undefined ? [] : what, `${kind} ${name}`)
        t.equal(notices.length, text === undefined ? 0 : what.length)
        if (text !== undefined)
          t.match(
            notices,
            what.map(() => text),
          )
      }
    }
    t.end()
  })

  await t.test('without any Host the fallback certificate serves every name', t => {
    t.match(chainsOf(secret('default/fallback-self-signed-cert', pair(one))).chains, [
      { serverNames: [], tls: { certificate: /fallback/ } },
    ])
    t.end()
  })
})
