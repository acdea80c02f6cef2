/** One member's part of a split. */
export interface Share {
  /** Percent of the group's requests. */
  readonly weight: number
  /** Running sum including this member; 100 = everything that came so far. */
  readonly upTo: number
}

/**
 * Splits a group (emissary-resources.md 11, "Weights"): written weights count as they are, members without one share the rest evenly (in
 * whole percent), a lone member gets all. A sum below 100 leaves the rest to later routes.
 * @param weights of the members in order; undefined where none is written
 * @returns the shares in the same order, or the sum that is over 100
 */
export function splitWeights(weights: readonly (number | undefined)[]): readonly Share[] | { readonly sum: number } {
  if (weights.length === 1) return [{ weight: 100, upTo: 100 }]
  const sum = weights.reduce<number>((total, weight) => total + (weight ?? 0), 0)
  if (sum > 100) return { sum }
  const unweighted = weights.filter(weight => weight === undefined).length
  let given = 0
  let upTo = 0
  return weights.map(written => {
    // Rounding the running total instead of each part keeps the sum exact: 3 members get 33, 34, 33.
    const part = (place: number) => Math.round(((100 - sum) * place) / unweighted)
    const weight = written ?? part(given + 1) - part(given)
    if (written === undefined) given++
    upTo += weight
    return { weight, upTo }
  })
}
