import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { ambassadorId, choice, closed, count, filled, labelSelector, port } from './fields.ts'

/** Listener, emissary-resources.md 4. */
export const listenerSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    port: port(),
    protocol: Type.Optional(choice('HTTP', 'HTTPS', 'HTTPPROXY', 'HTTPSPROXY', 'TCP', 'TLS')),
    protocolStack: Type.Optional(Type.Array(choice('HTTP', 'PROXY', 'TLS', 'TCP', 'UDP'), { minItems: 1 })),
    securityModel: choice('XFP', 'SECURE', 'INSECURE'),
    l7Depth: Type.Optional(count()),
    hostBinding: Type.Object(
      {
        namespace: Type.Optional(Type.Object({ from: choice('SELF', 'ALL', 'SELECTOR') }, closed)),
        selector: Type.Optional(labelSelector()),
      },
      closed,
    ),
    statsPrefix: Type.Optional(filled()),
    http2MaxConcurrentStreams: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
  },
  closed,
)

export type ListenerSpec = Static<typeof listenerSchema>
