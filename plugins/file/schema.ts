import { Ajv, type ErrorObject } from 'ajv'
import type { Static } from 'typebox'
import { Type } from '../../src/model/type.ts'
import { healths } from '../../src/model/health.ts'
import { didYouMean } from '../../src/model/nearest.ts'

const closed = { additionalProperties: false }
const name = Type.String({ minLength: 1, maxLength: 253, pattern: '^[^/\\s]+$' })

const endpointEntry = Type.Object(
  {
    address: Type.String({ minLength: 1, maxLength: 253 }),
    port: Type.Integer({ minimum: 1, maximum: 65_535 }),
    portName: Type.Optional(Type.String({ maxLength: 253 })),
    weight: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    health: Type.Optional(Type.Enum([...healths])),
    zone: Type.Optional(Type.String({ maxLength: 253 })),
    region: Type.Optional(Type.String({ maxLength: 253 })),
    tags: Type.Optional(Type.Array(Type.String())),
    meta: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  closed,
)

/** One item of `services:` in an endpoints file (interface.md, "The file source's endpoints.yaml"). */
export const serviceEntry = Type.Object({ name, namespace: Type.Optional(name), endpoints: Type.Array(endpointEntry) }, closed)

export type EndpointEntry = Static<typeof endpointEntry>
export type ServiceEntry = Static<typeof serviceEntry>

/** What is wrong with an item: where in it, and what. */
export interface EntryFault {
  /** From the item on: `['endpoints', 2, 'port']`. */
  readonly path: readonly (string | number)[]
  readonly text: string
}

const ajv = new Ajv({ strict: true, allErrors: false, verbose: true })
const isServiceEntry = ajv.compile<ServiceEntry>(serviceEntry)

/** The item if it is well-formed, else what is wrong with it first. */
export function checkServiceEntry(value: unknown): { readonly entry: ServiceEntry } | { readonly fault: EntryFault } {
  if (isServiceEntry(value)) return { entry: value }
  const [error] = isServiceEntry.errors ?? []
  return { fault: error === undefined ? { path: [], text: 'is malformed' } : describe(error) }
}

function describe(error: ErrorObject): EntryFault {
  const path = pathOf(error)
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty'])
      const known = Object.keys((error.parentSchema?.['properties'] ?? {}) as object)
      const hint = didYouMean(key, known)
      return { path: [...path, key], text: `is no key of this format${hint === '' ? '' : `: ${hint}`} (known: ${known.join(', ')})` }
    }
    case 'required':
      return { path, text: `has no ${String(params['missingProperty'])}` }
    case 'enum':
      return { path, text: `must be one of ${healths.join(', ')}, not ${shown(error.data)}` }
    case 'type':
      return {
        path,
        text: `must be ${params['type'] === 'string' ? 'a string: put it in quotes' : `of type ${String(params['type'])}`}, not ${shown(error.data)}`,
      }
    case 'pattern':
      return { path, text: `must hold neither a slash nor white space: ${shown(error.data)}` }
    case 'minimum':
    case 'maximum':
      return { path, text: `${error.message ?? 'is out of range'}, not ${shown(error.data)}` }
    default:
      return { path, text: error.message ?? 'is malformed' }
  }
}

function pathOf(error: ErrorObject): (string | number)[] {
  return error.instancePath
    .split('/')
    .slice(1)
    .map(part => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')))
}

/** The value as YAML readers know it, cut short. */
function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
