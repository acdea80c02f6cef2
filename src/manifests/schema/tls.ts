import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import type { HiddenText } from '../../model/hidden-text.ts'
import { ambassadorId, choice, closed, filled, flag, inert, port, text, texts } from './fields.ts'

const version = () => Type.Optional(choice('v1.0', 'v1.1', 'v1.2', 'v1.3'))

/** Options of TLS termination that a Host may write itself and a TLSContext has too (emissary-resources.md 3, 5). */
export const tlsOptions = {
  cert_chain_file: Type.Optional(filled()),
  private_key_file: Type.Optional(filled()),
  ca_secret: Type.Optional(filled()),
  cacert_chain_file: Type.Optional(filled()),
  crl_secret: Type.Optional(filled()),
  alpn_protocols: Type.Optional(filled()),
  cert_required: Type.Optional(flag()),
  min_tls_version: version(),
  max_tls_version: version(),
  cipher_suites: Type.Optional(texts()),
  ecdh_curves: Type.Optional(texts()),
  redirect_cleartext_from: inert(port(), 'a Host redirects by requestPolicy.insecure.action'),
  sni: Type.Optional(text()),
}

/** TLSContext, emissary-resources.md 5. */
export const tlsContextSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    hosts: Type.Optional(texts()),
    secret: Type.Optional(filled()),
    secret_namespacing: Type.Optional(flag()),
    ...tlsOptions,
  },
  closed,
)

export type TlsContextSpec = Static<typeof tlsContextSchema>

/** What a Secret is read into: its values decoded, and hidden from whoever prints it. */
export const secretSchema = Type.Object(
  {
    type: Type.Optional(text()),
    data: Type.Unsafe<Readonly<Record<string, HiddenText>>>({}),
  },
  closed,
)

export type SecretSpec = Static<typeof secretSchema>
