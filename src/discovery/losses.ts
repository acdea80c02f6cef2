import type { Endpoint } from '../model/endpoint.ts'

/** Where an endpoint is: two that are equal here are the same one. */
export function placeKey({ address, port, protocol }: Endpoint): string {
  return `${address} ${port} ${protocol}`
}

/** What one list of endpoints has and another does not. */
export interface Losses {
  /** Gone without having said goodbye. */
  readonly unexplained: readonly Endpoint[]
  /** Gone, explained or not. */
  readonly gone: number
  readonly gained: number
}

/** Compares what a source said before with what it says now. */
export function lossesOf(before: readonly Endpoint[], after: readonly Endpoint[]): Losses {
  const now = new Set(after.map(placeKey))
  const gone = before.filter(endpoint => !now.has(placeKey(endpoint)))
  return { unexplained: gone.filter(isUnexplained), gone: gone.length, gained: now.size - (before.length - gone.length) }
}

/** Nothing foretold that it would go: it neither drained nor failed (reference/discovery.md 5.4). */
function isUnexplained({ health, presence }: Endpoint): boolean {
  return health !== 'draining' && health !== 'unhealthy' && presence !== 'expired'
}
