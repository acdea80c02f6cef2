import type { IrTermination } from '../../../ir/route-table.ts'
import type { TlsOptions } from '../../../manifests/check-tls.ts'
import { withoutPort } from '../../../manifests/check-host.ts'
import type { Checked, CheckedObject } from '../../../manifests/checked-object.ts'
import type { Report } from '../report.ts'
import { handshakeOf } from './handshake.ts'
import type { SecretRef, Secrets } from './secrets.ts'

/** The Secret of Emissary that serves every name where nothing else does. */
const fallbackSecret = 'fallback-self-signed-cert'

/** How a Host ends TLS; undefined: it has none; or a sentence on why it cannot. */
export type Termination = IrTermination | { readonly problem: string } | undefined

/**
 * Reads how a Host ends TLS (emissary-resources.md 3, 5): its certificate is `tlsSecret`, files of its own, or those of a TLSContext, named
 * or found by its hosts; options are its own `tls` or the context's.
 */
export function terminationOf(host: Checked<'Host'>, contexts: readonly Checked<'TLSContext'>[], secrets: Secrets): Termination {
  const { spec, manifest } = host
  const context = contextOf(host, contexts)
  if (typeof context === 'string') return { problem: context }
  const options: TlsOptions = { ...context?.spec, ...spec.tls }
  const namespace = context?.manifest.namespace ?? manifest.namespace
  const namespacing = context?.spec.secret_namespacing ?? true
  const certificate = certificateOf(host, context, secrets)
  if (certificate === undefined || 'problem' in certificate) return certificate
  const from = spec.tls?.ca_secret === undefined ? namespace : manifest.namespace
  return withOptions(certificate.name, options, from, namespacing, secrets, usersOf(host, context))
}

/** How the TLSContext whose hosts have exactly this name ends TLS, if there is one that can. */
export function contextTermination(host: string, contexts: readonly Checked<'TLSContext'>[], secrets: Secrets): IrTermination | undefined {
  const context = contexts.find(one => one.spec.hosts?.some(name => name.toLowerCase() === host))
  if (context === undefined) return undefined
  const certificate = contextCertificate(context, secrets, [context])
  if (certificate === undefined || 'problem' in certificate) return undefined
  const { spec, manifest } = context
  const made = withOptions(certificate.name, spec, manifest.namespace, spec.secret_namespacing ?? true, secrets, [context])
  return 'problem' in made ? undefined : made
}

/** Says of TLSContexts whose certificate cannot be had that no TLS is made with them, also where nothing uses them yet. */
export function noteContexts(contexts: readonly Checked<'TLSContext'>[], secrets: Secrets, report: Report): void {
  for (const context of contexts) {
    const { spec, manifest } = context
    if (spec.secret === undefined) continue
    const problem = secrets.certificateProblem(spec.secret, manifest.namespace, spec.secret_namespacing ?? true)
    if (problem !== undefined) report.notice(context, `spec.secret: ${problem}; no TLS is begun or ended with it`)
  }
}

function withOptions(
  certificate: string,
  options: TlsOptions,
  namespace: string,
  namespacing: boolean,
  secrets: Secrets,
  users: readonly CheckedObject[],
): IrTermination | { readonly problem: string } {
  const validation =
    options.ca_secret !== undefined
      ? secrets.validation(options.ca_secret, options.crl_secret, namespace, namespacing, users)
      : options.cacert_chain_file !== undefined
        ? secrets.validationFile(options.cacert_chain_file)
        : undefined
  if (validation !== undefined && 'problem' in validation) return validation
  const secretRequires = validation !== undefined && 'required' in validation && validation.required === true
  return {
    certificate,
    ...(validation === undefined ? {} : { validation: validation.name }),
    clientCertificateRequired: validation !== undefined && (options.cert_required ?? secretRequires),
    ...handshakeOf(options),
  }
}

/** Without any Host, TLS is ended with the fallback certificate, if somebody made one (emissary-resources.md 3). */
export function fallbackTermination(namespace: string, secrets: Secrets): IrTermination | undefined {
  const certificate = secrets.certificate(fallbackSecret, namespace, false, [])
  if ('problem' in certificate) return undefined
  return { certificate: certificate.name, clientCertificateRequired: false, ...handshakeOf({}) }
}

function usersOf(host: Checked<'Host'>, context: Checked<'TLSContext'> | undefined): readonly CheckedObject[] {
  return context === undefined ? [host] : [host, context]
}

function certificateOf(host: Checked<'Host'>, context: Checked<'TLSContext'> | undefined, secrets: Secrets): SecretRef | undefined {
  const { spec, manifest } = host
  if (spec.tlsSecret !== undefined) {
    const { name, namespace } = spec.tlsSecret
    return secrets.certificate(name, namespace ?? manifest.namespace, namespace === undefined, [host])
  }
  const own = filesOf(spec.tls, secrets) ?? (context === undefined ? undefined : contextCertificate(context, secrets, [host, context]))
  if (own !== undefined) return own
  return spec.tls === undefined && spec.tlsContext === undefined
    ? undefined
    : { problem: 'spec.tls and its TLSContext name no certificate: set tlsSecret, or secret or files in the TLSContext' }
}

function contextCertificate(context: Checked<'TLSContext'>, secrets: Secrets, users: readonly CheckedObject[]): SecretRef | undefined {
  const { spec, manifest } = context
  if (spec.secret !== undefined) return secrets.certificate(spec.secret, manifest.namespace, spec.secret_namespacing ?? true, users)
  return filesOf(spec, secrets)
}

function filesOf(options: TlsOptions | undefined, secrets: Secrets): SecretRef | undefined {
  if (options?.cert_chain_file === undefined || options.private_key_file === undefined) return undefined
  return secrets.certificateFiles(options.cert_chain_file, options.private_key_file)
}

/** The named context of the Host's namespace, or the first one, as given, whose hosts have the Host's name. */
function contextOf(
  { spec, manifest }: Checked<'Host'>,
  contexts: readonly Checked<'TLSContext'>[],
): Checked<'TLSContext'> | string | undefined {
  const named = spec.tlsContext?.name
  if (named !== undefined) {
    const found = contexts.find(one => one.manifest.name === named && one.manifest.namespace === manifest.namespace)
    return found ?? `there is no usable TLSContext ${manifest.namespace}/${named}`
  }
  if (spec.tls !== undefined) return undefined
  const hostname = (withoutPort(spec.hostname) ?? '*').toLowerCase()
  return contexts.find(one => one.spec.hosts?.some(host => host.toLowerCase() === hostname))
}
