import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { ambassadorId, circuitBreakers, closed, filled, flag, port, upstreamTls } from './fields.ts'

/** TCPMapping, emissary-resources.md 2. */
export const tcpMappingSchema = Type.Object(
  {
    ambassador_id: ambassadorId(),
    port: port(),
    host: Type.Optional(filled()),
    address: Type.Optional(filled()),
    service: Type.String({ minLength: 1, description: '[scheme://]name[.namespace][:port]' }),
    resolver: Type.Optional(filled()),
    tls: upstreamTls(),
    enable_ipv4: Type.Optional(flag()),
    enable_ipv6: Type.Optional(flag()),
    cluster_tag: Type.Optional(filled()),
    circuit_breakers: Type.Optional(circuitBreakers()),
    weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, description: 'percent of the connections of its port and host' })),
    idle_timeout_ms: Type.Optional(
      Type.Unsafe<number | string>({
        anyOf: [
          { type: 'integer', minimum: 0, maximum: 4_294_967_295 },
          { type: 'string', pattern: '^[0-9]{1,9}$', description: 'the same in quotes' },
        ],
      }),
    ),
    stats_name: Type.Optional(filled()),
  },
  closed,
)

export type TcpMappingSpec = Static<typeof tcpMappingSchema>
