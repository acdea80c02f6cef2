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
  if (key !== undefined && chain === undefined) problems.push({ path: at(secretKeys.chain), text: `is missing beside ${secretKeys.key}` })
  if (key !== undefined) problems.push(...keyProblems(at(secretKeys.key), key, chain))
  const crl = data[secretKeys.crl]?.reveal()
  if (crl !== undefined && !/-----BEGIN X509 CRL-----/.test(crl))
    problems.push({ path: at(secretKeys.crl), text: 'holds no PEM block X509 CRL' })
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
    return [{ path, text: `holds no private key that can be read: ${errorText(error)}` }]
  }
  try {
    const leaf = chain === undefined ? undefined : parseCertificates(chain)[0]
    return leaf === undefined || leaf.checkPrivateKey(key)
      ? []
      : [{ path, text: `is not the key of the certificate in ${secretKeys.chain}` }]
  } catch {
    // The chain's own problem says what is wrong with it.
    return []
  }
}
