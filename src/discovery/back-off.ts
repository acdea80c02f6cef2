/**
 * Delays between restarts: exponential with full jitter (reference/discovery.md 2.2 rule 6), so that many sources that failed together do
 * not come back together.
 */
export class BackOff {
  readonly #firstMs: number
  readonly #capMs: number
  #failures = 0

  /** @param firstMs upper bound of the first delay, doubled each time up to `capMs`. */
  constructor(firstMs: number, capMs: number) {
    this.#firstMs = firstMs
    this.#capMs = capMs
  }

  /** The next delay in ms; `random` is uniform in [0, 1). Never under a tenth of the bound, so that a failing source cannot spin. */
  next(random: number): number {
    const bound = Math.min(this.#capMs, this.#firstMs * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 30)
    return bound * (0.1 + 0.9 * random)
  }

  reset(): void {
    this.#failures = 0
  }
}
