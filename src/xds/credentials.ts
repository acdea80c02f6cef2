import { createSecureContext } from 'node:tls'
import { experimental, ServerCredentials } from '@grpc/grpc-js'

/** What a TLS listener shows and trusts, PEM; with `ca` every client must show a certificate that comes from it. */
export interface XdsTls {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca?: Buffer
}

type Identity = experimental.IdentityCertificateUpdateListener
type Authority = experimental.CaCertificateUpdateListener

/**
 * Credentials of a listener whose certificates can be renewed while it runs: new connections get the new ones, open ones stay as they are.
 * Throws if certificate and key cannot be used.
 */
export class RenewableCredentials {
  #tls: XdsTls
  readonly #identity = new Set<Identity>()
  readonly #authority = new Set<Authority>()
  readonly credentials: ServerCredentials

  constructor(tls: XdsTls) {
    createSecureContext(tls)
    this.#tls = tls
    const provider: experimental.CertificateProvider = {
      addIdentityCertificateListener: listener => {
        this.#identity.add(listener)
        this.#tellSoon()
      },
      removeIdentityCertificateListener: listener => void this.#identity.delete(listener),
      addCaCertificateListener: listener => {
        this.#authority.add(listener)
        this.#tellSoon()
      },
      removeCaCertificateListener: listener => void this.#authority.delete(listener),
    }
    const wantsClients = tls.ca !== undefined
    // The library's first parameter is called the authority's and is taken for the certificate's, and the other way round.
    this.credentials = experimental.createCertificateProviderServerCredentials(provider, wantsClients ? provider : null, wantsClients)
  }

  /** Throws if they cannot be used, and goes on with those it had. */
  renew(tls: XdsTls): void {
    createSecureContext(tls)
    this.#tls = tls
    this.#tell()
  }

  /** The library asks before it is ready to be told. */
  #tellSoon(): void {
    queueMicrotask(() => this.#tell())
  }

  #tell(): void {
    const { cert, key, ca } = this.#tls
    if (ca !== undefined) for (const listener of this.#authority) listener({ caCertificate: ca })
    for (const listener of this.#identity) listener({ certificate: cert, privateKey: key })
  }
}
