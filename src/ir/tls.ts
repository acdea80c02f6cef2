export type TlsVersion = 'v1.0' | 'v1.1' | 'v1.2' | 'v1.3'

/** What a side of TLS agrees to, towards clients and upstreams alike. */
export interface IrHandshake {
  /** Protocols offered, the preferred first; empty: none. */
  readonly alpn: readonly string[]
  readonly minVersion?: TlsVersion
  readonly maxVersion?: TlsVersion
  /** By OpenSSL's names, the preferred first; empty: Envoy's own choice, as with curves. */
  readonly cipherSuites: readonly string[]
  readonly curves: readonly string[]
}
