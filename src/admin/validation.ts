import { Ajv } from 'ajv'
import type { FastifySchemaCompiler } from 'fastify'

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

/** Fastify's check of requests without its surprises: nothing unknown is dropped, nothing in a body is converted. */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  const isText = httpPart === 'querystring' || httpPart === 'params'
  return (isText ? textual : strict).compile(schema)
}
