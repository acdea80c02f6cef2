import type { HiddenText } from '../model/hidden-text.ts'

/** What Envoy fetches by SDS: renewed without touching the listeners and clusters that name it (xds.md 1.4). */
export type IrSecret = IrCertificate | IrValidation | IrCertificateFiles | IrValidationFile

/** A certificate chain, leaf first, with its private key; both PEM. */
export interface IrCertificate {
  readonly kind: 'certificate'
  /** Unique among all secrets; what `sds_secret_config.name` in a listener or cluster says. */
  readonly name: string
  readonly certificateChain: string
  readonly privateKey: HiddenText
}

/** The authorities that a peer's certificate must come from, and the certificates they took back; PEM. */
export interface IrValidation {
  readonly kind: 'validation'
  readonly name: string
  readonly trustedCa: string
  readonly crl?: string
}

/** Files on the machine of the Envoy, which follows them itself when their folder changes. */
export interface IrCertificateFiles {
  readonly kind: 'certificate-files'
  readonly name: string
  readonly certificateFile: string
  readonly keyFile: string
}

export interface IrValidationFile {
  readonly kind: 'validation-file'
  readonly name: string
  readonly trustedCaFile: string
}
