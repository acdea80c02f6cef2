import type { TSchema } from 'typebox'
import { Type } from '../../model/type.ts'

/** Building blocks of the object schemas. `x-isthmus-no-effect` marks a field that is accepted, changes nothing and is reported. */

export const noEffectKeyword = 'x-isthmus-no-effect'

/**
 * Optional, accepted, without effect: where it is set, a notice of the object says so.
 * @param why what follows "has no effect: ": the reason, or what does instead
 */
export const inert = <S extends TSchema>(schema: S, why: string) => Type.Optional<S>({ ...schema, [noEffectKeyword]: why })

export const closed = { additionalProperties: false } as const

export const choice = <const Names extends readonly string[]>(...names: Names) =>
  Type.Unsafe<Names[number]>({ type: 'string', enum: [...names] })

/** Of an upstream: the name of a TLSContext, or a switch. Emissary's schema says string, its documentation writes true. */
export const upstreamTls = () => Type.Optional(Type.Unsafe<string | boolean>({ anyOf: [{ type: 'boolean' }, { type: 'string' }] }))

export const text = () => Type.String()
export const filled = () => Type.String({ minLength: 1 })
export const flag = () => Type.Boolean()
export const count = () => Type.Integer({ minimum: 0, maximum: 4_294_967_295 })
export const texts = () => Type.Array(Type.String())
export const textMap = () => Type.Record(Type.String(), Type.String())
export const port = () => Type.Integer({ minimum: 1, maximum: 65_535 })
/** Milliseconds, up to the largest 32-bit count (49 days). */
export const milliseconds = () => Type.Integer({ minimum: 0, maximum: 4_294_967_295, description: 'milliseconds' })
/** `300ms`, `1.5s`, `2m`, `1h30m`, as Kubernetes writes durations. */
export const duration = () =>
  Type.String({ pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$', description: 'a duration such as 300ms, 1.5s or 2m' })

/** Which gateways take the object; absent: ["default"] (emissary-resources.md 0). */
export const ambassadorId = () =>
  Type.Optional(Type.Array(filled(), { description: 'names of the gateways that take this object; _automatic_ = all' }))

/** Kubernetes' label selector, matchExpressions included (emissary-resources.md 3). */
export const labelSelector = () =>
  Type.Object(
    {
      matchLabels: Type.Optional(textMap()),
      matchExpressions: Type.Optional(
        Type.Array(
          Type.Object({ key: filled(), operator: choice('In', 'NotIn', 'Exists', 'DoesNotExist'), values: Type.Optional(texts()) }, closed),
        ),
      ),
    },
    closed,
  )

export const circuitBreakers = () =>
  Type.Array(
    Type.Object(
      {
        priority: Type.Optional(choice('default', 'high')),
        max_connections: Type.Optional(count()),
        max_pending_requests: Type.Optional(count()),
        max_requests: Type.Optional(count()),
        max_retries: Type.Optional(count()),
      },
      closed,
    ),
  )
