import type { Static } from 'typebox'
import { parse } from 'yaml'
import { Type } from '../model/type.ts'
import { didYouMean } from '../model/nearest.ts'
import { checkSchema } from './check-schema.ts'
import { localRateLimitAnnotation } from './local-rate-limit.ts'
import type { Finding } from './checked-object.ts'
import { mappingSchema } from './schema/mapping.ts'

/** The fields of a Mapping that an Ingress may set by annotation. */
const optionsSchema = Type.Partial(
  Type.Pick(mappingSchema, [
    'timeout_ms',
    'idle_timeout_ms',
    'connect_timeout_ms',
    'rewrite',
    'host_rewrite',
    'resolver',
    'load_balancer',
    'grpc',
    'allow_upgrade',
    'bypass_auth',
    'precedence',
    'weight',
    'retry_policy',
  ]),
)

export type IngressOptions = Static<typeof optionsSchema>

interface Option {
  readonly field: keyof IngressOptions
  /** The field's value, given what the annotation says. */
  readonly value?: (given: unknown) => unknown
}

const prefix = 'isthmus.dev/'

/** Annotation, without prefix → field. Values are read as YAML: `"5000"` is a number, `"true"` a boolean (emissary-resources.md 8). */
const options: Readonly<Record<string, Option>> = {
  'timeout-ms': { field: 'timeout_ms' },
  'idle-timeout-ms': { field: 'idle_timeout_ms' },
  'connect-timeout-ms': { field: 'connect_timeout_ms' },
  rewrite: { field: 'rewrite' },
  'host-rewrite': { field: 'host_rewrite' },
  resolver: { field: 'resolver' },
  'load-balancer': { field: 'load_balancer', value: given => (typeof given === 'string' ? { policy: given } : given) },
  grpc: { field: 'grpc' },
  websocket: { field: 'allow_upgrade', value: given => (given === true ? ['websocket'] : given === false ? [] : given) },
  'bypass-auth': { field: 'bypass_auth' },
  precedence: { field: 'precedence' },
  weight: { field: 'weight' },
  'retry-policy': { field: 'retry_policy' },
}

/** Restores Emissary's way with the matched path, on an Ingress or its IngressClass. */
export const stripPathAnnotation = `${prefix}strip-path`

export interface ReadOptions {
  readonly options: IngressOptions
  readonly problems: readonly Finding[]
  readonly notices: readonly string[]
}

/** Reads the `isthmus.dev/…` annotations of an Ingress: options of all its paths. */
export function ingressOptions(annotations: Readonly<Record<string, string>>): ReadOptions {
  const read: Record<string, unknown> = {}
  const problems: Finding[] = []
  const notices: string[] = []
  for (const [annotation, text] of Object.entries(annotations)) {
    if (!annotation.startsWith(prefix) || annotation === stripPathAnnotation || annotation === localRateLimitAnnotation) continue
    const name = annotation.slice(prefix.length)
    const option = Object.hasOwn(options, name) ? options[name] : undefined
    if (option === undefined) {
      const hint = didYouMean(name, Object.keys(options))
      notices.push(`annotation ${annotation} has no effect${hint === '' ? `; known are ${Object.keys(options).join(', ')}` : `; ${hint}`}`)
      continue
    }
    const path = ['metadata', 'annotations', annotation]
    const given = yamlValue(text)
    const value = option.value === undefined ? given : option.value(given)
    const found = checkSchema(Type.Object({ [option.field]: Type.Index(optionsSchema, [option.field]) }), { [option.field]: value }, [])
    for (const problem of found.problems) problems.push({ path, text: problem.text })
    if (found.problems.length === 0) read[option.field] = value
  }
  return { options: read, problems, notices }
}

/** Text that is no YAML is text. */
function yamlValue(text: string): unknown {
  if (text === '') return text
  try {
    return parse(text)
  } catch {
    return text
  }
}
