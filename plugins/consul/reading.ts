/** What Consul answered, judged by nobody yet. */
export interface ConsulAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: unknown
}

/** What an answer is worth (reference/discovery.md 2.2). */
export type Reading =
  | {
      readonly kind: 'value'
      readonly body: unknown
      /** For the next blocking query. */
      readonly index: string
      /** Why nothing may vanish because of this answer; empty when it is authoritative. */
      readonly doubts: readonly Doubt[]
    }
  | {
      readonly kind: 'error'
      readonly code: string
      readonly text: string
      /** Consul asks to be left alone for so long. */
      readonly retryAfterMs?: number
      /** The index is of no use any more: begin anew without one, at once the first time. */
      readonly reset?: true
    }

export type Doubt = 'no-leader' | 'acl-filtered' | 'stale-server' | 'cached-offline'

const maxLastContactMs = 10_000

/**
 * Judges an answer. Usable is only HTTP 200 with a body of the expected shape and an index of at least 1 that did not go back; anything
 * else is an error, which changes nothing that is known.
 * @param formerIndex the index the question carried
 * @param right what a token needs for it, for who is refused
 */
export function judge(
  answer: ConsulAnswer,
  fits: (body: unknown) => boolean,
  formerIndex: string | undefined,
  right = 'service:read and node:read',
): Reading {
  const { status, body } = answer
  if (status !== 200) return refusal(answer, right)
  if (!fits(body))
    return { kind: 'error', code: 'consul-answer', text: `Consul answered 200 with ${describe(body)}: is this address a Consul agent?` }
  const index = parseIndex(header(answer, 'x-consul-index'))
  if (index === undefined) return { kind: 'error', code: 'consul-index', text: 'the answer has no usable X-Consul-Index', reset: true }
  if (formerIndex !== undefined && index < BigInt(formerIndex)) {
    return { kind: 'error', code: 'consul-index', text: `X-Consul-Index went back from ${formerIndex} to ${String(index)}`, reset: true }
  }
  return { kind: 'value', body, index: String(index), doubts: doubtsOf(answer) }
}

function doubtsOf(answer: ConsulAnswer): readonly Doubt[] {
  const doubts: Doubt[] = []
  // An answer from the agent's own stream of events says `false` here, and nothing of a last contact: it knows neither (rule 11).
  const streamed = header(answer, 'x-consul-query-backend') === 'streaming'
  if (!streamed && header(answer, 'x-consul-knownleader') === 'false') doubts.push('no-leader')
  if (header(answer, 'x-consul-results-filtered-by-acls') === 'true') doubts.push('acl-filtered')
  if (!streamed && Number(header(answer, 'x-consul-lastcontact') ?? 0) > maxLastContactMs) doubts.push('stale-server')
  if (Number(header(answer, 'age') ?? 0) > 0) doubts.push('cached-offline')
  return doubts
}

function refusal(answer: ConsulAnswer, right: string): Reading {
  const words = describe(answer.body)
  if (answer.status === 403) {
    return { kind: 'error', code: 'consul-acl', text: `Consul refuses the token (403, ${words}): it needs ${right}` }
  }
  const text = `Consul answered ${String(answer.status)}: ${words}`
  const limited = answer.status === 429 || /rate limit/i.test(words)
  if (!limited) return { kind: 'error', code: 'consul-status', text }
  const seconds = Number(header(answer, 'retry-after'))
  return {
    kind: 'error',
    code: 'consul-rate-limit',
    text,
    retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) * 1000 : 5000,
  }
}

/** An unsigned 64-bit number of at least 1, or undefined. */
function parseIndex(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^\d{1,20}$/.test(text)) return undefined
  const index = BigInt(text)
  return index >= 1n && index < 2n ** 64n ? index : undefined
}

function header(answer: ConsulAnswer, name: string): string | undefined {
  const value = answer.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** The beginning of a body, for messages. */
function describe(body: unknown): string {
  const text =
    body instanceof Uint8Array
      ? Buffer.from(body).toString()
      : typeof body === 'string'
        ? body
        : ((JSON.stringify(body) as string | undefined) ?? 'nothing')
  return text.length > 80 ? `${text.slice(0, 80)}…` : text === '' ? 'an empty body' : text
}
