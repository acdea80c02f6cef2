import type { SourceSecret, SourceSecrets } from '../../src/discovery/contract.ts'
import { HiddenText } from '../../src/model/hidden-text.ts'
import type { Mesh } from '../../src/model/mesh.ts'
import type { Reason } from '../../src/model/reason.ts'
import { type Intentions, readIntentions } from './intentions.ts'
import type { ConsulSettings } from './settings.ts'

interface Leaf {
  readonly CertPEM: string
  readonly PrivateKeyPEM: string
}

interface Roots {
  readonly TrustDomain: string
  readonly Roots: readonly { readonly RootCert: string }[]
}

/**
 * What it takes to speak to Consul Connect: the leaf that Consul issues for the gateway, and the roots of its mesh. Kept over the runs of a
 * source, so that a Consul that is away takes neither.
 */
export class ConnectCa implements SourceSecrets {
  readonly #source: string
  readonly #settings: ConsulSettings
  readonly #listeners = new Set<() => void>()
  #leaf: Leaf | undefined
  #roots: Roots | undefined
  #intentions: Intentions | undefined

  constructor(source: string, settings: ConsulSettings) {
    this.#source = source
    this.#settings = settings
  }

  /** The service whose leaf Envoys show; undefined: the mesh is not spoken to. */
  get service(): string | undefined {
    const { connect = false } = this.#settings
    return typeof connect === 'string' ? connect : connect ? 'isthmus' : undefined
  }

  /** How an instance of a service that takes nothing but the mesh's TLS is reached. */
  peerOf(datacenter: string, service: string): Mesh {
    const { consulNamespace = 'default', partition } = this.#settings
    if (this.service === undefined) return { locked: `to reach it, set connect: true on the source ${this.#source}` }
    if (this.#leaf === undefined || this.#roots === undefined)
      return { locked: `Consul has not given the source ${this.#source} a certificate and the roots of the mesh yet` }
    const within = partition === undefined || partition === 'default' ? '' : `/ap/${partition}`
    return {
      identity: `spiffe://${this.#roots.TrustDomain}${within}/ns/${consulNamespace}/dc/${datacenter}/svc/${service}`,
      certificate: `connect/${this.#source}/leaf`,
      validation: `connect/${this.#source}/roots`,
    }
  }

  /** Why a service in the mesh closes our connections, as far as Consul said. */
  deniedBy(service: string): Reason | undefined {
    return this.#intentions?.deniedBy(service)
  }

  list(): readonly SourceSecret[] {
    if (this.#leaf === undefined || this.#roots === undefined) return []
    const { CertPEM: certificateChain, PrivateKeyPEM: key } = this.#leaf
    const trustedCa = this.#roots.Roots.map(({ RootCert }) => RootCert.trim()).join('\n')
    return [
      { kind: 'certificate', name: `connect/${this.#source}/leaf`, certificateChain, privateKey: new HiddenText(key) },
      { kind: 'validation', name: `connect/${this.#source}/roots`, trustedCa: `${trustedCa}\n` },
    ]
  }

  onChange(callback: () => void): void {
    this.#listeners.add(callback)
  }

  /** Takes Consul's answer. Gives whether `peerOf` says something else now; undefined: the answer is no leaf. */
  takeLeaf(body: unknown): boolean | undefined {
    if (!has(body, 'CertPEM') || !has(body, 'PrivateKeyPEM')) return undefined
    const isFirst = this.#leaf === undefined
    this.#leaf = body as unknown as Leaf
    this.#tell()
    return isFirst && this.#roots !== undefined
  }

  /** The same for the roots. */
  takeRoots(body: unknown): boolean | undefined {
    const { Roots: roots } = (body ?? {}) as Partial<Record<string, unknown>>
    if (!has(body, 'TrustDomain') || !Array.isArray(roots) || roots.length === 0 || !roots.every(one => has(one, 'RootCert')))
      return undefined
    const former = this.#roots?.TrustDomain
    this.#roots = body as unknown as Roots
    this.#tell()
    return former !== this.#roots.TrustDomain && this.#leaf !== undefined
  }

  /** The same for what the service of the gateway may speak to; `defaultPolicy`: what holds where no intention fits. */
  takeIntentions(body: unknown, defaultPolicy: unknown): boolean | undefined {
    const former = this.#intentions
    const read = readIntentions(this.service ?? '', body, defaultPolicy)
    if (read === undefined) return undefined
    this.#intentions = read
    return former === undefined || !former.equals(read)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

function has(value: unknown, key: string): value is Record<string, unknown> {
  const text = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  return typeof text === 'string' && text !== ''
}
