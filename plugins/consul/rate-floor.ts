/** A token bucket: lets a burst through at once, then holds to a rate (reference/discovery.md 2.2 rule 7). Pure but for its own memory. */
export class RateFloor {
  readonly #burst: number
  readonly #perMs: number
  #tokens: number
  #at: number | undefined

  /** @param burst reads that may follow each other at once; at least 1 */
  constructor(burst: number, perSecond: number) {
    this.#burst = burst
    this.#perMs = perSecond / 1000
    this.#tokens = burst
  }

  /** Takes one token; gives the ms to wait before using it, 0 when there was one left. */
  take(now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - (this.#at ?? now)) * this.#perMs)
    this.#at = now
    this.#tokens -= 1
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#perMs
  }
}
