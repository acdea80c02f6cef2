/** What a port's probes say so far. */
export interface HealthCount {
  readonly isHealthy: boolean
  /** Probes in a row that spoke against `isHealthy`. */
  readonly against: number
  /** False until the first probe passed. */
  readonly hasPassed: boolean
}

/** Unhealthy until the first probe passes: a service that still starts gets no traffic. */
export const newHealthCount: HealthCount = { isHealthy: false, against: 0, hasPassed: false }

/**
 * The count after one more probe. The first pass of all is believed at once.
 * @param limits `rise` passes in a row make an unhealthy port healthy, `fall` failures a healthy one unhealthy
 */
export function countProbe(count: HealthCount, passed: boolean, limits: { readonly rise: number; readonly fall: number }): HealthCount {
  if (passed === count.isHealthy) return { ...count, against: 0 }
  const against = count.against + 1
  const enough = passed ? (count.hasPassed ? limits.rise : 1) : limits.fall
  return against < enough ? { ...count, against } : { isHealthy: passed, against: 0, hasPassed: true }
}
