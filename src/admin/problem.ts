import { STATUS_CODES } from 'node:http'
import { type ErrorCode, IsthmusError } from '../model/errors.ts'

/** An error as the API tells it (RFC 9457), with our stable code. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly detail: string
  readonly instance: string
}

const statuses: Partial<Record<ErrorCode, number>> = {
  'source-unknown': 404,
  'service-unknown': 404,
  'proxy-unknown': 404,
  'override-unknown': 404,
  'override-conflict': 409,
  'object-unknown': 404,
  'route-unknown': 404,
  'request-invalid': 400,
  'manifest-invalid': 400,
  'manifest-unreadable': 400,
  'body-too-large': 413,
  'token-invalid': 401,
  'role-insufficient': 403,
}

/** The problem of an error with a code of ours. `status` overrides the code's usual one. */
export function problemOf(error: IsthmusError, instance: string, status = statuses[error.code] ?? 500): Problem {
  return {
    type: `urn:isthmus:problem:${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code: error.code,
    detail: error.message,
    instance,
  }
}

/** Stops a request: 400. */
export function invalid(detail: string): IsthmusError {
  return new IsthmusError('request-invalid', detail)
}
