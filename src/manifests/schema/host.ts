import { type Static, Type } from 'typebox'
import { ambassadorId, choice, closed, filled, flag, labelSelector, later, port, text, texts } from './fields.ts'

const tlsVersion = () => choice('v1.0', 'v1.1', 'v1.2', 'v1.3')
const named = () => Type.Object({ name: filled() }, closed)

/** Host, emissary-resources.md 3. TLS is not built yet: what needs it is reported, and served as requestPolicy says. */
export const hostSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    hostname: Type.Optional(filled()),
    mappingSelector: Type.Optional(labelSelector()),
    selector: Type.Optional(labelSelector()),
    requestPolicy: Type.Optional(
      Type.Object(
        {
          insecure: Type.Optional(
            Type.Object({ action: Type.Optional(choice('Redirect', 'Reject', 'Route')), additionalPort: later(port()) }, closed),
          ),
        },
        closed,
      ),
    ),
    tlsSecret: later(Type.Object({ name: filled(), namespace: Type.Optional(filled()) }, closed)),
    tlsContext: later(named()),
    tls: later(
      Type.Object(
        {
          cert_chain_file: Type.Optional(text()),
          private_key_file: Type.Optional(text()),
          ca_secret: Type.Optional(text()),
          cacert_chain_file: Type.Optional(text()),
          crl_secret: Type.Optional(text()),
          alpn_protocols: Type.Optional(text()),
          cert_required: Type.Optional(flag()),
          min_tls_version: Type.Optional(tlsVersion()),
          max_tls_version: Type.Optional(tlsVersion()),
          cipher_suites: Type.Optional(texts()),
          ecdh_curves: Type.Optional(texts()),
          redirect_cleartext_from: Type.Optional(port()),
          sni: Type.Optional(text()),
        },
        closed,
      ),
    ),
    acmeProvider: later(
      Type.Object(
        {
          authority: Type.Optional(text()),
          email: Type.Optional(text()),
          privateKeySecret: Type.Optional(named()),
          registration: Type.Optional(text()),
        },
        closed,
      ),
    ),
    previewUrl: later(Type.Object({ enabled: Type.Optional(flag()), type: Type.Optional(text()) }, closed)),
  },
  closed,
)

export type HostSpec = Static<typeof hostSchema>
