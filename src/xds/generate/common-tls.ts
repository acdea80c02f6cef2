import type { IrHandshake, TlsVersion } from '../../ir/tls.ts'
import type { PlainMessage } from '../codec.ts'

const versions: Readonly<Record<TlsVersion, string>> = { 'v1.0': 'TLSv1_0', 'v1.1': 'TLSv1_1', 'v1.2': 'TLSv1_2', 'v1.3': 'TLSv1_3' }

/** The fields of a CommonTlsContext that are the same towards clients and towards upstreams. */
export function commonTls({ alpn, minVersion, maxVersion, cipherSuites, curves }: IrHandshake): PlainMessage {
  return {
    tlsParams: {
      ...(minVersion === undefined ? {} : { tlsMinimumProtocolVersion: versions[minVersion] }),
      ...(maxVersion === undefined ? {} : { tlsMaximumProtocolVersion: versions[maxVersion] }),
      cipherSuites,
      ecdhCurves: curves,
    },
    alpnProtocols: alpn,
  }
}
