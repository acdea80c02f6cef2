import fastJson, { type Schema } from 'fast-json-stringify'
import type { FastifySerializerCompiler } from 'fastify'

/** Answers hold what their schema names, in its order, as Fastify has it. A serializer is made when its answer is first given: most never are. */
export const serializerCompiler: FastifySerializerCompiler<Schema> = ({ schema }) => {
  let stringify: ((data: unknown) => string) | undefined
  return data => (stringify ??= fastJson(schema))(data)
}
