import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { ambassadorId, choice, closed, filled, flag, inert, labelSelector, port, text } from './fields.ts'
import { tlsOptions } from './tls.ts'

const named = () => Type.Object({ name: filled() }, closed)

/** Host, emissary-resources.md 3. */
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
            Type.Object(
              {
                action: Type.Optional(choice('Redirect', 'Reject', 'Route')),
                additionalPort: inert(port(), 'write a Listener for that port'),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    tlsSecret: Type.Optional(Type.Object({ name: filled(), namespace: Type.Optional(filled()) }, closed)),
    tlsContext: Type.Optional(named()),
    tls: Type.Optional(
      Type.Object({ ...tlsOptions, sni: inert(text(), 'a Host ends TLS for its hostname; name upstreams in a TLSContext') }, closed),
    ),
    acmeProvider: inert(
      Type.Object(
        {
          authority: Type.Optional(text()),
          email: Type.Optional(text()),
          privateKeySecret: Type.Optional(named()),
          registration: Type.Optional(text()),
        },
        closed,
      ),
      'get certificates with cert-manager, into the Secret that spec.tlsSecret names',
    ),
    previewUrl: inert(
      Type.Object({ enabled: Type.Optional(flag()), type: Type.Optional(text()) }, closed),
      'preview URLs are of a commercial edition of Emissary',
    ),
  },
  closed,
)

export type HostSpec = Static<typeof hostSchema>
