import { type Endpoint, makeEndpoint } from './endpoint.ts'
import type { Reason } from './reason.ts'

/** Why an endpoint is kept although its source does not vouch for it at present. */
const heldCodes = { guard: 'held-by-guard', restart: 'last-known-good', age: 'source-expired', source: 'suspect-absence' } as const

export type HeldBecause = keyof typeof heldCodes

const codes: ReadonlySet<string> = new Set(Object.values(heldCodes))

/** The endpoint as suspect, with the reason on top of its own. `text` must hold nothing that changes with time. */
export function held(endpoint: Endpoint, because: HeldBecause, text: string): Endpoint {
  const reason: Reason = { code: heldCodes[because], text }
  return makeEndpoint({ ...endpoint, presence: 'suspect', reasons: [reason, ...endpoint.reasons.filter(one => !codes.has(one.code))] })
}

/** Kept on our word alone: it goes out as healthy only where something else finds out if it is dead (reference/discovery.md 5.5). */
export function isHeld({ presence, reasons }: Pick<Endpoint, 'presence' | 'reasons'>): boolean {
  return presence === 'suspect' && reasons.some(({ code }) => codes.has(code))
}
