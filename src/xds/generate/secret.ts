import { dirname } from 'node:path/posix'
import type { IrSecret } from '../../ir/secret.ts'
import { encodeMessage, type PlainMessage } from '../codec.ts'
import { makeResource, type Resource, type ResourceKey } from '../resource.ts'

/**
 * The Secret of a certificate or of authorities to trust. How to publish one: put it into `RouteTable.secrets`, or, what does not come of
 * manifests, into `cache.patch({ upsert: [generateSecret(…)] })`; and let each listener or cluster that uses it refer to it by
 * `sdsConfig(name)` and name it in its `requires` with `secretKey(name)`. A secret that nothing served requires is given to nobody, a
 * changed one goes to those who have it and to nobody else, and listeners and clusters are not sent again.
 */
export function generateSecret(secret: IrSecret): Resource {
  const message = { name: secret.name, ...content(secret) }
  return makeResource('secret', secret.name, encodeMessage('envoy.extensions.transport_sockets.tls.v3.Secret', message))
}

/** For the `requires` of a resource that uses a secret. */
export function secretKey(name: string): ResourceKey {
  return { type: 'secret', name }
}

/**
 * An `SdsSecretConfig`, for `tls_certificate_sds_secret_configs`, `validation_context_sds_secret_config` and their like: over the same
 * stream as everything else.
 */
export function sdsConfig(name: string): PlainMessage {
  return { name, sdsConfig: { ads: {}, resourceApiVersion: 'V3' } }
}

function content(secret: IrSecret): PlainMessage {
  switch (secret.kind) {
    case 'certificate':
      return { tlsCertificate: { certificateChain: inline(secret.certificateChain), privateKey: inline(secret.privateKey.reveal()) } }
    case 'validation':
      return {
        validationContext: {
          trustedCa: inline(secret.trustedCa),
          ...(secret.crl === undefined ? {} : { crl: inline(secret.crl) }),
        },
      }
    case 'certificate-files':
      return {
        tlsCertificate: {
          certificateChain: { filename: secret.certificateFile },
          privateKey: { filename: secret.keyFile },
          watchedDirectory: { path: dirname(secret.certificateFile) },
        },
      }
    case 'validation-file':
      return {
        validationContext: {
          trustedCa: { filename: secret.trustedCaFile },
          watchedDirectory: { path: dirname(secret.trustedCaFile) },
        },
      }
  }
}

/** A DataSource. */
function inline(inlineString: string): PlainMessage {
  return { inlineString }
}
