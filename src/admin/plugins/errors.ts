import type { FastifyError, FastifyInstance, FastifySchemaValidationError } from 'fastify'
import { didYouMean } from '../../model/nearest.ts'
import { IsthmusError } from '../../model/errors.ts'
import { problemOf } from '../problem.ts'

/** Shapes every error as problem JSON; a defect of ours is logged and answered without its details. */
export function addErrors(app: FastifyInstance, onDefect: (error: Error, url: string) => void): void {
  app.setNotFoundHandler((request, reply) => {
    const error = new IsthmusError(
      'route-unknown',
      `${request.method} ${pathOf(request.url)} is no address of this API; see /api/v1/docs for those there are`,
    )
    return reply.code(404).type('application/problem+json').send(problemOf(error, request.url))
  })
  app.setErrorHandler<FastifyError | IsthmusError>((error, request, reply) => {
    const [known, status] = translate(error)
    if (known.code === 'internal') onDefect(error, request.url)
    if (known.code === 'token-invalid') reply.header('www-authenticate', 'Bearer realm="isthmus"')
    const problem = problemOf(known, request.url, status)
    return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem))
  })
}

function translate(error: FastifyError | IsthmusError): [IsthmusError, number | undefined] {
  if (error instanceof IsthmusError) return [error, undefined]
  if (error.validation !== undefined) {
    const detail = error.validation.map(one => describe(one, error.validationContext ?? 'request')).join('; ')
    return [new IsthmusError('request-invalid', detail, { cause: error }), 400]
  }
  const status = error.statusCode ?? 500
  if (status === 413)
    return [
      new IsthmusError('body-too-large', 'the body of the request is too large: at most 1 MiB, 10 MiB for /what-if', { cause: error }),
      413,
    ]
  if (status >= 400 && status < 500) return [new IsthmusError('request-invalid', error.message, { cause: error }), status]
  return [new IsthmusError('internal', 'the request failed inside Isthmus; its log says why', { cause: error }), 500]
}

const parts: Readonly<Record<string, string>> = { querystring: 'query parameter', params: 'path part', body: 'body', headers: 'header' }

function describe(error: FastifySchemaValidationError & { parentSchema?: unknown }, context: string): string {
  const part = parts[context] ?? context
  const extra = error.params['additionalProperty']
  if (typeof extra === 'string') {
    const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {})
    const suggestion = didYouMean(extra, known)
    return `unknown ${part} "${extra}"; ${suggestion === '' ? `known: ${known.length === 0 ? 'none' : known.join(', ')}` : suggestion}`
  }
  const missing = error.params['missingProperty']
  if (typeof missing === 'string') return `${part} "${missing}" is missing`
  const allowed = error.params['allowedValues']
  const text = Array.isArray(allowed) ? `must be one of ${allowed.join(', ')}` : (error.message ?? 'is not valid')
  return `${part} "${error.instancePath.slice(1)}" ${text}`
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url
}
