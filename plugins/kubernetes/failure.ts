import { errorText } from '../../src/model/errors.ts'

/**
 * What went wrong with a call to an API server: nobody answers (`unreachable`, TLS included), an answer stopped coming (`stalled`), the credentials are refused or cannot be had
 * (`unauthorized`), the right is missing (`forbidden`), there is no such resource or object (`absent`), the resource version is gone
 * (`expired`), it is busy (`throttled`), somebody else changed the object (`conflict`), it refuses the body (`invalid`), anything else
 * (`server`).
 */
export type KubeFailureKind =
  | 'unreachable'
  | 'stalled'
  | 'unauthorized'
  | 'forbidden'
  | 'absent'
  | 'expired'
  | 'throttled'
  | 'conflict'
  | 'invalid'
  | 'server'

/** A call that failed. The message is a sentence for people that names the call. */
export class KubeFailure extends Error {
  readonly kind: KubeFailureKind
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** What the API server asked to wait. */
  readonly retryAfterMs: number

  constructor(kind: KubeFailureKind, message: string, { status = 0, retryAfterMs = 0, cause }: FailureDetails = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'KubeFailure'
    this.kind = kind
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

interface FailureDetails {
  readonly status?: number
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

const kinds: Readonly<Record<number, KubeFailureKind>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'absent',
  409: 'conflict',
  410: 'expired',
  422: 'invalid',
  429: 'throttled',
}

/** The failure that an answer's status and body (a Status object, or text) mean. */
export function failureOfAnswer(what: string, status: number, body: string, retryAfter: string | undefined): KubeFailure {
  const seconds = Number(retryAfter ?? 0)
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0
  return new KubeFailure(kinds[status] ?? 'server', `${what}: ${messageOf(body) || `status ${String(status)}`}`, { status, retryAfterMs })
}

/** The failure that an ERROR event's Status object means. */
export function failureOfStatus(what: string, status: { readonly code?: unknown; readonly message?: unknown }): KubeFailure {
  const code = typeof status.code === 'number' ? status.code : 0
  const text = typeof status.message === 'string' ? status.message : 'an error without a message'
  return new KubeFailure(kinds[code] ?? 'server', `${what}: ${text}`, { status: code })
}

/** Anything thrown by a call, as a KubeFailure: what is none yet came from the network. */
export function asFailure(what: string, error: unknown): KubeFailure {
  if (error instanceof KubeFailure) return error
  const inner = error instanceof AggregateError && error.message === '' ? (error.errors[0] as unknown) : error
  return new KubeFailure('unreachable', `${what}: ${errorText(inner)}`, { cause: error })
}

function messageOf(body: string): string {
  try {
    const status = JSON.parse(body) as { message?: unknown } | null
    if (typeof status?.message === 'string') return status.message
  } catch {
    // Not the API server's own answer, but that of something before it, or a plain text.
  }
  return body.trim().slice(0, 300)
}
