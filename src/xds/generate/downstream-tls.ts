import type { IrTermination, TlsVersion } from '../../ir/route-table.ts'
import { any, type PlainMessage } from '../codec.ts'
import type { ResourceKey } from '../resource.ts'
import { sdsConfig, secretKey } from './secret.ts'

const versions: Readonly<Record<TlsVersion, string>> = { 'v1.0': 'TLSv1_0', 'v1.1': 'TLSv1_1', 'v1.2': 'TLSv1_2', 'v1.3': 'TLSv1_3' }

/** The transport socket that ends TLS; its certificates come by SDS, so that a renewal touches no listener. */
export function downstreamTls(tls: IrTermination): PlainMessage {
  const params = {
    ...(tls.minVersion === undefined ? {} : { tlsMinimumProtocolVersion: versions[tls.minVersion] }),
    ...(tls.maxVersion === undefined ? {} : { tlsMaximumProtocolVersion: versions[tls.maxVersion] }),
    cipherSuites: tls.cipherSuites,
    ecdhCurves: tls.curves,
  }
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: any('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
      commonTlsContext: {
        tlsParams: params,
        alpnProtocols: tls.alpn,
        tlsCertificateSdsSecretConfigs: [sdsConfig(tls.certificate)],
        ...(tls.validation === undefined ? {} : { validationContextSdsSecretConfig: sdsConfig(tls.validation) }),
      },
      requireClientCertificate: { value: tls.clientCertificateRequired },
    }),
  }
}

/** What a listener that ends TLS so must have. */
export function secretsOf({ certificate, validation }: IrTermination): readonly ResourceKey[] {
  return [certificate, ...(validation === undefined ? [] : [validation])].map(secretKey)
}
