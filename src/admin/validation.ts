import { Ajv, type ValidateFunction } from 'ajv'
import type { FastifySchemaCompiler, FastifySchemaValidationError } from 'fastify'

const options = {
  allErrors: true,
  useDefaults: true,
  removeAdditional: false,
  strict: false,
  verbose: true,
  meta: false,
  validateSchema: false,
} as const
// Everything in a query or path is text, so numbers are read from it there; bodies are taken as they are.
const textual = new Ajv({ ...options, coerceTypes: true })
const strict = new Ajv(options)

/**
 * Fastify's check of requests without its surprises: nothing unknown is dropped, nothing in a body is converted. A check is made when it is first
 * needed.
 */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  const ajv = httpPart === 'querystring' || httpPart === 'params' ? textual : strict
  let check: ValidateFunction | undefined
  return data => {
    check ??= ajv.compile(schema)
    return check(data) || { error: (check.errors ?? []) as FastifySchemaValidationError[] }
  }
}
