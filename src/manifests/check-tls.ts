import { checkHostname } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
import type { TlsContextSpec } from './schema/tls.ts'

/** Fields of a Host's `tls` and of a TLSContext alike. */
export type TlsOptions = Omit<TlsContextSpec, 'ambassador_id' | 'hosts' | 'secret' | 'secret_namespacing'>

/** The rules of a TLSContext that concern it alone (emissary-resources.md 5). */
export function checkTlsContext(spec: TlsContextSpec): KindFindings {
  const both = spec.secret !== undefined && spec.cert_chain_file !== undefined
  return {
    problems: [
      ...(spec.hosts ?? []).flatMap((host, index) => checkHostname(['spec', 'hosts', index], host)),
      ...(both ? [{ path: ['spec', 'secret'], text: 'give secret or cert_chain_file, not both' }] : []),
      ...checkTlsOptions(['spec'], spec),
    ],
    notices: [],
  }
}

/** What is wrong with options of TLS termination. */
export function checkTlsOptions(at: FieldPath, options: TlsOptions): readonly Finding[] {
  const problems: Finding[] = []
  if ((options.cert_chain_file === undefined) !== (options.private_key_file === undefined)) {
    const missing = options.cert_chain_file === undefined ? 'cert_chain_file' : 'private_key_file'
    problems.push({ path: [...at, missing], text: 'is missing: a certificate and its key go together' })
  }
  if (options.ca_secret !== undefined && options.cacert_chain_file !== undefined)
    problems.push({ path: [...at, 'ca_secret'], text: 'give ca_secret or cacert_chain_file, not both' })
  if (options.cert_required === true && options.ca_secret === undefined && options.cacert_chain_file === undefined)
    problems.push({ path: [...at, 'cert_required'], text: 'needs ca_secret or cacert_chain_file: who may have signed them?' })
  if (options.crl_secret !== undefined && options.ca_secret === undefined)
    problems.push({ path: [...at, 'crl_secret'], text: 'needs ca_secret: it takes back certificates of that authority' })
  const versions = ['v1.0', 'v1.1', 'v1.2', 'v1.3']
  const [least, most] = [options.min_tls_version, options.max_tls_version]
  if (least !== undefined && most !== undefined && versions.indexOf(least) > versions.indexOf(most))
    problems.push({ path: [...at, 'min_tls_version'], text: `${least} is above max_tls_version ${most}` })
  return problems
}
