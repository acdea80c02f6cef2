interface Entry<Result> {
  readonly of: readonly unknown[]
  readonly result: Result
  round: number
}

/**
 * What pure functions gave, so that doing a large piece of work again costs in proportion to what changed since. A result is given again only
 * for the very same things (`===`) that it was made of, so whoever uses a Memo gets what they would get without one, and may still recognise
 * by identity what stayed. What was not asked for during a whole round is forgotten. Several results may be kept under one key: each round of
 * some work goes over it more than once.
 */
export class Memo<Key, Result> {
  readonly #entries = new Map<Key, Entry<Result>[]>()
  #round = 0

  /** What was kept for this key and made of the same things in the same order, or undefined. */
  find(key: Key, of: readonly unknown[]): Result | undefined {
    const found = this.#entries.get(key)?.find(entry => sameThings(entry.of, of))
    if (found === undefined) return undefined
    found.round = this.#round
    return found.result
  }

  /** Keeps a result in the place of the one made of the same things, and gives it. */
  keep(key: Key, of: readonly unknown[], result: Result): Result {
    const others = this.#entries.get(key)?.filter(entry => !sameThings(entry.of, of)) ?? []
    this.#entries.set(key, [...others, { of, result, round: this.#round }])
    return result
  }

  /** What was kept for this key last, whatever it was made of. */
  latest(key: Key): Result | undefined {
    return this.#entries.get(key)?.at(-1)?.result
  }

  /** Ends a round. */
  endRound(): void {
    const isOver = ({ round }: Entry<Result>): boolean => round < this.#round
    for (const [key, entries] of this.#entries) {
      if (!entries.some(isOver)) continue
      const left = entries.filter(entry => !isOver(entry))
      if (left.length === 0) this.#entries.delete(key)
      else this.#entries.set(key, left)
    }
    this.#round++
  }
}

function sameThings(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index])
}

/** A pure function of one immutable object that is computed once for each. */
export function perObject<Key extends object, Result>(make: (key: Key) => Result): (key: Key) => Result {
  const made = new WeakMap<Key, { readonly result: Result }>()
  return key => {
    const known = made.get(key)
    if (known !== undefined) return known.result
    const result = make(key)
    made.set(key, { result })
    return result
  }
}
