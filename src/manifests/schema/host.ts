import { type Static, Type } from 'typebox'
import { ambassadorId, choice, closed, filled, flag, labelSelector, later, port, text } from './fields.ts'
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
            Type.Object({ action: Type.Optional(choice('Redirect', 'Reject', 'Route')), additionalPort: later(port()) }, closed),
          ),
        },
        closed,
      ),
    ),
    tlsSecret: Type.Optional(Type.Object({ name: filled(), namespace: Type.Optional(filled()) }, closed)),
    tlsContext: Type.Optional(named()),
    tls: Type.Optional(Type.Object(tlsOptions, closed)),
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
