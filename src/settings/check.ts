import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import ipaddr from 'ipaddr.js'
import { didYouMean } from '../model/nearest.ts'
import type { Path, Problem } from './document.ts'
import { parseListenAddress } from './listen-address.ts'

/** What our formats want, for messages. */
const formats: Readonly<Record<string, string>> = {
  listen: 'an address to listen on, host:port, such as 127.0.0.1:18000, :18000 or [::1]:18000',
  cidr: 'a network such as 10.0.0.0/8',
  path: 'a path',
  program: 'a program name or path',
  uri: 'a URL such as http://127.0.0.1:8500',
}

// Types are never coerced: `port: "80"` is a mistake to show, not to mend. Defaults of plugins' schemas are filled in. TypeBox makes the
// schemas, so they are not checked themselves, which would cost 20 MB.
const ajv = new Ajv({ allErrors: true, useDefaults: true, strict: false, verbose: true, meta: false, validateSchema: false })
// CommonJS: the function is the module itself or its default, depending on who loads it.
const installFormats = addFormats as unknown as typeof addFormats.default
installFormats(ajv)
ajv.addFormat('listen', text => parseListenAddress(text) !== undefined)
ajv.addFormat('cidr', text => ipaddr.isValidCIDR(text) || ipaddr.isValid(text))
ajv.addFormat('path', true)
ajv.addFormat('program', true)

/** Compiles a schema; throws on a schema that is none (a plugin's defect). */
export function compileCheck(schema: object): ValidateFunction {
  return ajv.compile(schema)
}

/**
 * Checks a value, fills the schema's defaults into it, and says in words what is wrong.
 * @param at the value's own place
 * @param moreKeys keys that are allowed beside it at its top level, for suggestions
 */
export function check(validate: ValidateFunction, value: unknown, at: Path = [], moreKeys: readonly string[] = []): readonly Problem[] {
  if (validate(value)) return []
  const errors = validate.errors ?? []
  // What is wrong with each branch of a union is noise beside what the union wants.
  const unions = errors.filter(error => error.keyword === 'anyOf' || error.keyword === 'oneOf').map(error => error.schemaPath)
  return errors
    .filter(error => !unions.some(union => error.schemaPath.startsWith(`${union}/`)))
    .filter(error => error.keyword !== 'if')
    .map(error => {
      const path = [...at, ...pointer(error.instancePath, value)]
      const extra = extraKey(error)
      const keys = [...Object.keys(properties(error)), ...(error.instancePath === '' ? moreKeys : [])]
      return extra === undefined ? { path, text: textOf(error) } : { path: [...path, extra], text: unknownKey(extra, keys) }
    })
}

/** `unknown key; did you mean "listen"?`, or the keys there are. */
function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = didYouMean(key, known)
  return `unknown key; ${suggestion === '' ? `known here: ${known.join(', ')}` : suggestion}`
}

function textOf(error: ErrorObject): string {
  const params = error.params as Readonly<Record<string, unknown>>
  const given = show(error.data)
  switch (error.keyword) {
    case 'required':
      return `key "${String(params['missingProperty'])}" is missing`
    case 'type':
      return `must be ${aType(error.schema)}, not ${given}`
    case 'enum':
      return oneOf(error.schema as readonly unknown[], error.data)
    case 'const':
      return `must be ${show(error.schema)}, not ${given}`
    case 'anyOf':
    case 'oneOf': {
      const branches = error.schema as readonly { const?: unknown; type?: string }[]
      if (branches.every(branch => branch.const !== undefined)) {
        return oneOf(
          branches.map(branch => branch.const),
          error.data,
        )
      }
      return `must be ${[...new Set(branches.map(branch => aType(branch.type)))].join(' or ')}, not ${given}`
    }
    case 'format':
      return `must be ${formats[String(params['format'])] ?? `a ${String(params['format'])}`}, not ${given}`
    case 'pattern':
      return `must match ${String(params['pattern'])}, not ${given}`
    case 'minLength':
    case 'minItems':
      return 'must not be empty'
    default:
      return `${error.message ?? 'is not valid'}, not ${given}`
  }
}

function oneOf(choices: readonly unknown[], given: unknown): string {
  const suggestion = typeof given === 'string' ? didYouMean(given, choices.map(String)) : ''
  return `must be one of ${choices.map(String).join(', ')}, not ${show(given)}${suggestion === '' ? '' : `; ${suggestion}`}`
}

function aType(type: unknown): string {
  if (Array.isArray(type)) return type.map(aType).join(' or ')
  const names: Record<string, string> = {
    object: 'a mapping (key: value)',
    array: 'a list',
    string: 'text',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  }
  return names[String(type)] ?? String(type)
}

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

function extraKey(error: ErrorObject): string | undefined {
  if (error.keyword !== 'additionalProperties' && error.keyword !== 'unevaluatedProperties') return undefined
  const params = error.params as { additionalProperty?: string; unevaluatedProperty?: string }
  return params.additionalProperty ?? params.unevaluatedProperty
}

function properties(error: ErrorObject): object {
  return (error.parentSchema as { properties?: object } | undefined)?.properties ?? {}
}

/** A JSON pointer as a path, with numbers where the value has lists. */
function pointer(text: string, value: unknown): Path {
  let here = value
  return text
    .split('/')
    .slice(1)
    .map(part => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      const isItem = Array.isArray(here)
      here = typeof here === 'object' && here !== null ? (here as Record<string, unknown>)[key] : undefined
      return isItem ? Number(key) : key
    })
}
