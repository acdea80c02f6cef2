import type { Static } from 'typebox'
import { Type } from '../../model/type.ts'
import { choice, closed, duration, filled, flag, text, texts } from './fields.ts'

/** emissary-resources.md 10: which keys go with which policy is checked in check-mapping.ts. */
export const loadBalancer = Type.Object(
  {
    policy: choice('round_robin', 'least_request', 'ring_hash', 'maglev'),
    cookie: Type.Optional(Type.Object({ name: filled(), path: Type.Optional(text()), ttl: Type.Optional(duration()) }, closed)),
    header: Type.Optional(filled()),
    source_ip: Type.Optional(flag()),
  },
  closed,
)

export type LoadBalancerSpec = Static<typeof loadBalancer>

const addedHeaders = Type.Record(Type.String(), Type.Object({ value: Type.Optional(text()), append: Type.Optional(flag()) }, closed))
const status = () => Type.Integer({ minimum: 100, maximum: 599 })

/** emissary-resources.md 1.2, `health_checks[]`. */
export const healthChecks = Type.Array(
  Type.Object(
    {
      timeout: Type.Optional(duration()),
      interval: Type.Optional(duration()),
      unhealthy_threshold: Type.Optional(Type.Integer({ minimum: 1 })),
      healthy_threshold: Type.Optional(Type.Integer({ minimum: 1 })),
      health_check: Type.Object(
        {
          http: Type.Optional(
            Type.Object(
              {
                path: filled(),
                hostname: Type.Optional(text()),
                add_request_headers: Type.Optional(addedHeaders),
                remove_request_headers: Type.Optional(texts()),
                expected_statuses: Type.Optional(Type.Array(Type.Object({ min: status(), max: status() }, closed))),
              },
              closed,
            ),
          ),
          grpc: Type.Optional(Type.Object({ upstream_name: filled(), authority: Type.Optional(text()) }, closed)),
        },
        closed,
      ),
    },
    closed,
  ),
)
