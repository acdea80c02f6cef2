import type { Static } from 'typebox'
import { parse } from 'yaml'
import { Type } from '../model/type.ts'
import { errorText } from '../model/errors.ts'
import { checkSchema } from './check-schema.ts'
import { statusCodes } from './check-services.ts'
import { durationMs } from './check-values.ts'
import type { Finding } from './checked-object.ts'
import { closed, duration, flag } from './schema/fields.ts'

/** On a Mapping or an Ingress: how many of its requests each Envoy lets through, without asking anybody. Emissary has nothing like it. */
export const localRateLimitAnnotation = 'isthmus.dev/local-rate-limit'

const rate = () => Type.Integer({ minimum: 1, maximum: 4_294_967_295 })

const schema = Type.Object(
  {
    requests: rate(),
    per: Type.Optional(duration()),
    burst: Type.Optional(rate()),
    status: Type.Optional(Type.Integer({ minimum: 400, maximum: 599 })),
    per_connection: Type.Optional(flag()),
  },
  closed,
)

/** `requests` each `per` (1s), as many as `burst` (`requests`) at once, the others get `status` (429). */
export type LocalRateLimit = Static<typeof schema>

/** Envoy fills its buckets no more often. */
const shortestMs = 50

/** Reads the annotation; undefined where there is none. */
export function readLocalRateLimit(
  annotations: Readonly<Record<string, string>>,
): { readonly limit: LocalRateLimit } | { readonly problems: readonly Finding[] } | undefined {
  const text = annotations[localRateLimitAnnotation]
  if (text === undefined) return undefined
  const path = ['metadata', 'annotations', localRateLimitAnnotation]
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    return { problems: [{ path, text: `is no YAML: ${errorText(error)}` }] }
  }
  const { problems } = checkSchema(schema, value, [])
  if (problems.length > 0)
    return { problems: problems.map(one => ({ path, text: `${one.path.length === 0 ? '' : `${one.path.join('.')}: `}${one.text}` })) }
  const limit = value as LocalRateLimit
  if (limit.per !== undefined && durationMs(limit.per) < shortestMs)
    return { problems: [{ path, text: `per: must be at least ${shortestMs}ms` }] }
  if (limit.burst !== undefined && limit.burst < limit.requests)
    return { problems: [{ path, text: `burst: ${limit.burst} is less than requests, ${limit.requests}: the rest would never be used` }] }
  if (limit.status !== undefined && !statusCodes.has(limit.status))
    return { problems: [{ path, text: `status: ${limit.status} is no status that Envoy can answer; 429 is usual` }] }
  return { limit }
}
