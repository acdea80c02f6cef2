import type { IrSecret } from '../../../ir/secret.ts'
import { checkSecret, secretKeys } from '../../../manifests/check-secret.ts'
import type { Checked, CheckedObject } from '../../../manifests/checked-object.ts'
import { pathText } from '../../../manifests/field-path.ts'
import type { Manifest } from '../../../manifests/object.ts'
import type { SecretSpec } from '../../../manifests/schema/tls.ts'
import type { HiddenText } from '../../../model/hidden-text.ts'
import { refText } from '../../../model/object-ref.ts'
import type { Objects } from '../objects.ts'
import { validityNotes } from './validity.ts'

/** A reference that leads to a usable secret, by the name under which Envoy fetches it; or a sentence on what is wrong. */
export type SecretRef = { readonly name: string } | { readonly problem: string }

/** A certificate that is shown, or an authority that is trusted, and by what. */
interface Use {
  readonly what: 'certificate' | 'authority'
  readonly secret: Checked<'Secret'>
  readonly pem: HiddenText
  readonly users: readonly CheckedObject[]
}

/** Those that serve, and all as they were written, by place. */
interface Given {
  readonly serving: ReadonlyMap<string, Checked<'Secret'>>
  readonly written: ReadonlyMap<string, Manifest>
}

/** The Secrets of one compilation: found by reference, and only those that something uses are given to Envoys (emissary-resources.md 5). */
export class Secrets {
  readonly #given: Given
  readonly #used = new Map<string, IrSecret>()
  readonly #asked = new Set<string>()
  readonly #uses: Use[] = []

  private constructor(given: Given) {
    this.#given = given
  }

  static of(objects: Objects): Secrets {
    return new Secrets({
      serving: new Map(objects.of('Secret').map(object => [placeOf(object.manifest), object])),
      written: new Map(objects.written('Secret').map(manifest => [placeOf(manifest), manifest])),
    })
  }

  /** The same Secrets with a memory of its own of what is asked for and used. */
  apart(): Secrets {
    return new Secrets(this.#given)
  }

  /** Nothing was asked for or used. */
  get isEmpty(): boolean {
    return this.#used.size + this.#asked.size + this.#uses.length === 0
  }

  /** Takes over what was asked for and used apart. */
  include(apart: Secrets): void {
    for (const [name, secret] of apart.#used) this.#used.set(name, secret)
    for (const place of apart.#asked) this.#asked.add(place)
    this.#uses.push(...apart.#uses)
  }

  /** What Envoys get, sorted by name. */
  get used(): readonly IrSecret[] {
    return [...this.#used.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Every Secret that was looked for, found or not, as `namespace/name`. */
  get asked(): ReadonlySet<string> {
    return this.#asked
  }

  /**
   * What people should know about Secrets that are used: at the Secret, and at what uses it.
   * @param now wall clock in ms, to say which certificates are over
   */
  notices(now: number): readonly (readonly [CheckedObject, string])[] {
    return this.#uses.flatMap(({ what, secret, pem, users }) =>
      validityNotes(pem, now).flatMap(note =>
        [secret, ...users].map(object => [object, `the ${what} in ${refText(secret.manifest.ref)}, ${note}`] as const),
      ),
    )
  }

  /**
   * A certificate with its key.
   * @param name may be `name.namespace` where `namespacing` is on and there is no Secret of the whole name
   * @param users who is told, beside the Secret, that it is over
   */
  certificate(name: string, namespace: string, namespacing: boolean, users: readonly CheckedObject[]): SecretRef {
    const found = this.#pair(name, namespace, namespacing)
    if (typeof found === 'string') return { problem: found }
    const { secret, chain, key } = found
    this.#uses.push({ what: 'certificate', secret, pem: chain, users })
    return this.#use({
      kind: 'certificate',
      name: `certificate|${placeOf(secret.manifest)}`,
      certificateChain: chain.reveal(),
      privateKey: key,
    })
  }

  /** Why there is no such certificate, or undefined; it is not given to Envoys for that. */
  certificateProblem(name: string, namespace: string, namespacing: boolean): string | undefined {
    const found = this.#pair(name, namespace, namespacing)
    return typeof found === 'string' ? found : undefined
  }

  /** Authorities, from `ca.crt` or else `tls.crt`, with those they took back. `required`: the Secret says that clients must show one. */
  validation(
    ca: string,
    crl: string | undefined,
    namespace: string,
    namespacing: boolean,
    users: readonly CheckedObject[],
  ): SecretRef & { readonly required?: boolean } {
    const secret = this.#find(ca, namespace, namespacing)
    if (typeof secret === 'string') return { problem: secret }
    const trusted = secret.spec.data[secretKeys.ca] ?? secret.spec.data[secretKeys.chain]
    if (trusted === undefined) return { problem: `${refText(secret.manifest.ref)} has neither ${secretKeys.ca} nor ${secretKeys.chain}` }
    const revoked = crl === undefined ? undefined : this.#find(crl, namespace, namespacing)
    if (typeof revoked === 'string') return { problem: revoked }
    const list = revoked?.spec.data[secretKeys.crl]
    if (revoked !== undefined && list === undefined) return { problem: `${refText(revoked.manifest.ref)} has no ${secretKeys.crl}` }
    this.#uses.push({ what: 'authority', secret, pem: trusted, users })
    const name = `validation|${placeOf(secret.manifest)}${revoked === undefined ? '' : `|${placeOf(revoked.manifest)}`}`
    const made = { kind: 'validation', name, trustedCa: trusted.reveal(), ...(list === undefined ? {} : { crl: list.reveal() }) } as const
    return { ...this.#use(made), required: secret.spec.data[secretKeys.required]?.reveal().trim() === 'true' }
  }

  /** Files of the Envoy's machine. */
  certificateFiles(certificateFile: string, keyFile: string): SecretRef {
    return this.#use({ kind: 'certificate-files', name: `certificate-files|${certificateFile}|${keyFile}`, certificateFile, keyFile })
  }

  validationFile(trustedCaFile: string): SecretRef {
    return this.#use({ kind: 'validation-file', name: `validation-file|${trustedCaFile}`, trustedCaFile })
  }

  #pair(name: string, namespace: string, namespacing: boolean) {
    const secret = this.#find(name, namespace, namespacing)
    if (typeof secret === 'string') return secret
    const { [secretKeys.chain]: chain, [secretKeys.key]: key } = secret.spec.data
    if (chain !== undefined && key !== undefined) return { secret, chain, key }
    return `${refText(secret.manifest.ref)} has no ${chain === undefined ? secretKeys.chain : secretKeys.key}`
  }

  #find(name: string, namespace: string, namespacing: boolean): Checked<'Secret'> | string {
    const dot = namespacing ? name.lastIndexOf('.') : -1
    return (
      this.#get(`${namespace}/${name}`) ??
      (dot > 0 ? this.#get(`${name.slice(dot + 1)}/${name.slice(0, dot)}`) : undefined) ??
      this.#missing(`${namespace}/${name}`)
    )
  }

  #missing(place: string): string {
    const written = this.#given.written.get(place)
    if (written === undefined) return `there is no Secret ${place}`
    // What a Secret is read into has this form, whatever it holds (readSecret).
    const [problem] = checkSecret(written.spec as SecretSpec).problems
    return `Secret ${place} cannot be used${problem === undefined ? '' : `: ${pathText(problem.path)} ${problem.text}`}`
  }

  #get(place: string): Checked<'Secret'> | undefined {
    this.#asked.add(place)
    return this.#given.serving.get(place)
  }

  #use(secret: IrSecret): { readonly name: string } {
    this.#used.set(secret.name, secret)
    return { name: secret.name }
  }
}

function placeOf({ namespace, name }: Pick<Manifest, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}
