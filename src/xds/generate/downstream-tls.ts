import type { IrTermination } from '../../ir/route-table.ts'
import { any, type PlainMessage } from '../codec.ts'
import type { ResourceKey } from '../resource.ts'
import { commonTls } from './common-tls.ts'
import { sdsConfig, secretKey } from './secret.ts'

/** The transport socket that ends TLS; its certificates come by SDS, so that a renewal touches no listener. */
export function downstreamTls(tls: IrTermination): PlainMessage {
  return {
    name: 'envoy.transport_sockets.tls',
    typedConfig: any('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', {
      commonTlsContext: {
        ...commonTls(tls),
        tlsCertificateSdsSecretConfigs: [sdsConfig(tls.certificate)],
        ...(tls.validation === undefined ? {} : { validationContextSdsSecretConfig: sdsConfig(tls.validation) }),
      },
      requireClientCertificate: { value: tls.clientCertificateRequired },
    }),
  }
}

/** The same for HTTP/3, whose TLS is always 1.3 and offers nothing but itself; Envoy checks no client certificates over QUIC. */
export function quicTls({ certificate }: IrTermination): PlainMessage {
  return {
    name: 'envoy.transport_sockets.quic',
    typedConfig: any('envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport', {
      downstreamTlsContext: { commonTlsContext: { tlsCertificateSdsSecretConfigs: [sdsConfig(certificate)] } },
    }),
  }
}

/** What a listener that ends TLS so must have. */
export function secretsOf({ certificate, validation }: IrTermination): readonly ResourceKey[] {
  return [certificate, ...(validation === undefined ? [] : [validation])].map(secretKey)
}
