/** The quantiles of a sample, in its own unit. */
export interface Summary {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export function summarise(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** The middle one, the lower of two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? Number.NaN
}

/** Of the straight line nearest to the samples. */
export function slopeOf(samples: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, one) => sum + one, 0) / values.length
  const [x, y] = [mean(samples.map(one => one.x)), mean(samples.map(one => one.y))]
  const spread = samples.reduce((sum, one) => sum + (one.x - x) ** 2, 0)
  return samples.reduce((sum, one) => sum + (one.x - x) * (one.y - y), 0) / Math.max(spread, 1e-9)
}
