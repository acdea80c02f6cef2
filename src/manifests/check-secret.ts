import { createPrivateKey, X509Certificate } from 'node:crypto'
import { errorText } from '../model/errors.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { SecretSpec } from './schema/tls.ts'

/** Keys of a Secret that hold certificates, a private key, a list of certificates taken back. */
export const secretKeys = { chain: 'tls.crt', key: 'tls.key', ca: 'ca.crt', crl: 'crl.pem', required: 'cert_required' } as const

/**
 * The rules of a Secret that concern it alone: what it holds can be used for TLS. Errors never show a value. Envoy would refuse a bad
 * one with all its listeners.
 */
export function checkSecret({ data }: SecretSpec): KindFindings {
  const at = (key: string): readonly string[] => ['data', key]
  const chain = data[secretKeys.chain]?.reveal()
  const key = data[secretKeys.key]?.reveal()
  const problems: Finding[] = [
    ...certificates(at(secretKeys.chain), chain),
    ...certificates(at(secretKeys.ca), data[secretKeys.ca]?.reveal()),
  ]
  if (key !== undefined && chain !== undefined) problems.push(...weak(at(secretKeys.chain), chain))
  if (key !== undefined && chain === undefined) problems.push({ path: at(secretKeys.chain), text: `is missing beside ${secretKeys.key}` })
  if (key !== undefined) problems.push(...keyProblems(at(secretKeys.key), key, chain))
  const crl = data[secretKeys.crl]?.reveal()
  if (crl !== undefined) problems.push(...revocations(at(secretKeys.crl), crl))
  return { problems, notices: [] }
}

/** Each certificate of a PEM text, the first one first. Throws what node:crypto throws for one that is none. */
export function parseCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return blocks.map(block => new X509Certificate(block))
}

function certificates(path: readonly string[], pem: string | undefined): readonly Finding[] {
  if (pem === undefined) return []
  try {
    return parseCertificates(pem).length > 0 ? [] : [{ path, text: 'holds no PEM block CERTIFICATE' }]
  } catch (error) {
    return [{ path, text: `holds a certificate that cannot be read: ${errorText(error)}` }]
  }
}

function keyProblems(path: readonly string[], pem: string, chain: string | undefined): readonly Finding[] {
  let key: ReturnType<typeof createPrivateKey>
  try {
    key = createPrivateKey(pem)
  } catch (error) {
    if (pem.includes('ENCRYPTED')) return [{ path, text: 'is encrypted: Envoy has no password for it' }]
    if (!pem.includes('PRIVATE KEY-----')) return [{ path, text: 'holds no PEM block PRIVATE KEY' }]
    return [{ path, text: `holds a private key that cannot be read: ${errorText(error)}` }]
  }
  try {
    const [leaf, ...others] = chain === undefined ? [] : parseCertificates(chain)
    if (leaf === undefined || leaf.checkPrivateKey(key)) return []
    const other = others.some(one => one.checkPrivateKey(key)) ? ', but of a later one there: it must come first' : ''
    return [{ path, text: `is not the key of the certificate in ${secretKeys.chain}${other}` }]
  } catch {
    // The chain's own problem says what is wrong with it.
    return []
  }
}

/** Curves of keys that Envoy shows certificates of. */
const curves: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

/** What Envoy would refuse the certificate for. A chain that cannot be read is somebody else's problem. */
function weak(path: readonly string[], chain: string): readonly Finding[] {
  try {
    const [leaf] = parseCertificates(chain)
    const { asymmetricKeyType: kind, asymmetricKeyDetails: { modulusLength = 0, namedCurve } = {} } = leaf?.publicKey ?? {}
    if (kind === 'rsa' && modulusLength < 2048)
      return [{ path, text: `has an RSA key of ${modulusLength} bits: Envoy takes 2048 and more` }]
    if (kind !== 'ec' || curves.has(namedCurve)) return []
    return [{ path, text: `has a key of the curve ${String(namedCurve)}: Envoy takes P-256, P-384 and P-521` }]
  } catch {
    return []
  }
}

/** Node.js reads no lists of revoked certificates; that each is one whole value in DER is what can be seen here. */
function revocations(path: readonly string[], pem: string): readonly Finding[] {
  const blocks = [...pem.matchAll(/-----BEGIN X509 CRL-----([\s\S]*?)-----END X509 CRL-----/g)]
  if (blocks.length === 0) return [{ path, text: 'holds no PEM block X509 CRL' }]
  return blocks.every(([, body = '']) => isWhole(Buffer.from(body, 'base64'))) ? [] : [{ path, text: 'holds a list that cannot be read' }]
}

/** A SEQUENCE in DER that is as long as it says. */
function isWhole(der: Buffer): boolean {
  const [tag, first = 0] = der
  if (tag !== 0x30) return false
  const more = first < 0x80 ? 0 : first & 0x7f
  if (more > 4 || der.length < 2 + more) return false
  return der.length === 2 + more + (more === 0 ? first : der.readUIntBE(2, more))
}
