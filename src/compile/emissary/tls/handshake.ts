import type { IrHandshake } from '../../../ir/tls.ts'
import type { TlsOptions } from '../../../manifests/check-tls.ts'
import { commaList } from '../../../model/comma-list.ts'
import { withoutUndefined } from '../without-undefined.ts'

/** What a TLSContext or a Host's `tls` wants both sides to agree to (emissary-resources.md 5). */
export function handshakeOf(options: TlsOptions): IrHandshake {
  return {
    alpn: commaList(options.alpn_protocols ?? ''),
    ...withoutUndefined({ minVersion: options.min_tls_version, maxVersion: options.max_tls_version }),
    cipherSuites: options.cipher_suites ?? [],
    curves: options.ecdh_curves ?? [],
  }
}
