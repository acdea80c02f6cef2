import { type ErrorCode, errorCodes, IsthmusError } from '../../src/model/errors.ts'

/** One thing that is wrong with a body: a JSON pointer (RFC 6901) to it, and what. */
export interface FieldError {
  readonly pointer: string
  readonly detail: string
}

/** A request whose body is not as it must be. */
export class RequestFault extends IsthmusError {
  readonly errors: readonly FieldError[]

  constructor(detail: string, errors: readonly FieldError[]) {
    super('request-invalid', detail)
    this.name = 'RequestFault'
    this.errors = errors
  }
}

/** The body of an error answer (RFC 9457), with our stable code. */
export interface Problem {
  readonly type: 'about:blank'
  readonly code: ErrorCode
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly errors?: readonly FieldError[]
}

const statusOf: Partial<Record<ErrorCode, number>> = {
  'request-invalid': 422,
  'body-too-large': 413,
  'lease-unknown': 404,
  'lease-epoch': 409,
  'state-unusable': 503,
}

/** What an agent is told of anything thrown while its request was handled. A defect (500) tells nothing of its inside. */
export function problemOf(error: unknown, bodyLimit: number): Problem {
  if (error instanceof RequestFault) return { ...problem(error.code, 422, summary(error)), errors: error.errors }
  if (error instanceof IsthmusError) return problem(error.code, statusOf[error.code] ?? 500, error.message)
  const { code, statusCode } = fastifyError(error)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return problem(
      'body-too-large',
      413,
      `the body is over ${bodyLimit} bytes: register fewer services per agent, or raise the source's bodyLimit`,
    )
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return problem('request-invalid', 415, 'send the body as JSON, with the header "Content-Type: application/json"')
  }
  if (statusCode >= 400 && statusCode < 500 && error instanceof Error) return problem('request-invalid', statusCode, error.message)
  return problem('internal', 500, 'the gateway failed on this request, its log says more')
}

function problem(code: ErrorCode, status: number, detail: string): Problem {
  return { type: 'about:blank', code, title: errorCodes[code], status, detail }
}

/** The first fault stands in the detail too, for clients that show nothing else. */
function summary({ message, errors }: RequestFault): string {
  const [first] = errors
  if (first === undefined) return message
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return `${first.pointer === '' ? 'the body' : first.pointer} ${first.detail}${more}; ${message}`
}

function fastifyError(error: unknown): { code: string; statusCode: number } {
  if (typeof error !== 'object' || error === null) return { code: '', statusCode: 500 }
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown }
  return { code: typeof code === 'string' ? code : '', statusCode: typeof statusCode === 'number' ? statusCode : 500 }
}
