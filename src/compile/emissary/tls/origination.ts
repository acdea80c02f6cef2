import { isIP } from 'node:net'
import type { IrOrigination } from '../../../ir/cluster-options.ts'
import type { Checked, CheckedObject, Finding } from '../../../manifests/checked-object.ts'
import { commaList } from '../../../model/comma-list.ts'
import { refText } from '../../../model/object-ref.ts'
import type { Report } from '../report.ts'
import { parseServiceName } from '../service-name.ts'
import { handshakeOf } from './handshake.ts'
import type { Secrets } from './secrets.ts'

/** On a TLSContext: names (DNS, `spiffe://…` or other URIs, addresses) of which an upstream's certificate must have one, with commas between. */
const namesAnnotation = 'isthmus.dev/verify-names'

type Context = Checked<'TLSContext'>

/** What an object says about TLS to its upstream. */
export interface OriginationWish {
  /** `[scheme://]name…`, without a subset. */
  readonly service: string
  /** The name of a TLSContext, or a switch. */
  readonly tls: string | boolean | undefined
  /** Asked for by SNI where the TLSContext names nothing. */
  readonly hostRewrite?: string | undefined
}

/** How TLS to upstreams is begun (emissary-resources.md 1.2, 5): by an `https://` service, by `tls: true`, or by a TLSContext that `tls` names. */
export class Originations {
  readonly #contexts: readonly Context[]
  readonly #secrets: Secrets
  readonly #report: Report

  constructor(contexts: readonly Context[], secrets: Secrets, report: Report) {
    this.#contexts = contexts
    this.#secrets = secrets
    this.#report = report
  }

  /** The same for another report and memory of secrets. */
  apart(secrets: Secrets, report: Report): Originations {
    return new Originations(this.#contexts, secrets, report)
  }

  /**
   * @param object that names the service; gets notices
   * @returns undefined for cleartext; or what is wrong: TLS that was asked for and cannot be had is never cleartext instead
   */
  of(object: CheckedObject, wish: OriginationWish): IrOrigination | undefined | { readonly problem: Finding } {
    const service = parseServiceName(wish.service)
    const https = typeof service !== 'string' && service.scheme === 'https'
    const name = contextName(wish.tls)
    const path = ['spec', 'tls']
    if (name === false && https)
      return { problem: { path, text: `is false, and the service is written with https://: "${wish.service}"; leave out one of them` } }
    if (!https && (name === undefined || name === false)) return undefined
    if (!https && /^http:\/\//i.test(wish.service))
      this.#report.notice(object, 'spec.tls counts, not the http:// of the service: TLS is used')
    const context = typeof name === 'string' ? this.#find(name, object.manifest.namespace) : undefined
    if (typeof context === 'string') return { problem: { path, text: context } }
    const made = this.#made(object, context, wish.hostRewrite)
    if ('problem' in made) return { problem: { path, text: made.problem } }
    if (made.validation === undefined) this.#report.notice(object, unverified(context))
    return made
  }

  #made(
    object: CheckedObject,
    context: Context | undefined,
    hostRewrite: string | undefined,
  ): IrOrigination | { readonly problem: string } {
    if (context === undefined) return { ...(hostRewrite === undefined ? {} : { sni: hostRewrite }), subjects: [], ...handshakeOf({}) }
    const { spec, manifest } = context
    const at = (problem: string) => ({ problem: `${refText(manifest.ref)}: ${problem}` })
    const namespacing = spec.secret_namespacing ?? true
    const users = [object, context]
    const certificate =
      spec.secret !== undefined
        ? this.#secrets.certificate(spec.secret, manifest.namespace, namespacing, users)
        : spec.cert_chain_file !== undefined && spec.private_key_file !== undefined
          ? this.#secrets.certificateFiles(spec.cert_chain_file, spec.private_key_file)
          : undefined
    if (certificate !== undefined && 'problem' in certificate) return at(certificate.problem)
    const validation =
      spec.ca_secret !== undefined
        ? this.#secrets.validation(spec.ca_secret, spec.crl_secret, manifest.namespace, namespacing, users)
        : spec.cacert_chain_file !== undefined
          ? this.#secrets.validationFile(spec.cacert_chain_file)
          : undefined
    if (validation !== undefined && 'problem' in validation) return at(validation.problem)
    const subjects = namesOf(context)
    if (subjects.length > 0 && validation === undefined)
      return at(`${namesAnnotation} needs ca_secret or cacert_chain_file: a name proves nothing in a certificate of anybody`)
    const sni = spec.sni === undefined || spec.sni === '' ? hostRewrite : spec.sni
    return {
      ...(sni === undefined ? {} : { sni }),
      ...(certificate === undefined ? {} : { certificate: certificate.name }),
      ...(validation === undefined ? {} : { validation: validation.name }),
      subjects,
      ...handshakeOf(spec),
    }
  }

  /** The own namespace first, then a unique match elsewhere, then `name.namespace`: as resolvers are found (emissary-resources.md 9). */
  #find(name: string, namespace: string): Context | string {
    const named = this.#contexts.filter(one => one.manifest.name === name)
    const own = named.find(one => one.manifest.namespace === namespace)
    const dot = name.lastIndexOf('.')
    const qualified = this.#contexts.find(
      one => dot > 0 && one.manifest.name === name.slice(0, dot) && one.manifest.namespace === name.slice(dot + 1),
    )
    const [first, second] = named
    if (own === undefined && first !== undefined && second !== undefined)
      return `TLSContext "${name}" is ambiguous: ${named.map(one => refText(one.manifest.ref)).join(', ')}; write ${name}.NAMESPACE`
    const found = own ?? first ?? qualified
    return (
      found ??
      `there is no usable TLSContext "${name}", and the requests are not sent in cleartext instead; write one, or true for TLS alone`
    )
  }
}

/** Undefined: nothing is said; true: TLS without a context; false: none. */
function contextName(tls: string | boolean | undefined): string | boolean | undefined {
  if (tls === undefined || tls === '') return undefined
  return tls === 'true' ? true : tls === 'false' ? false : tls
}

function namesOf({ manifest }: Context): readonly string[] {
  return commaList(manifest.annotations[namesAnnotation] ?? '').map(one =>
    one.includes('://') || isIP(one) !== 0 ? one : one.toLowerCase(),
  )
}

function unverified(context: Context | undefined): string {
  const way = context === undefined ? 'name a TLSContext with ca_secret in spec.tls' : `set ca_secret in ${refText(context.manifest.ref)}`
  return `the certificate of the upstream is not checked: ${way}`
}
