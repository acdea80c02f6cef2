/**
 * The names that somebody may have meant: those within a third of the length in edits (insert, delete, change, swap), or of which the given
 * one is a part; only the nearest ones, at most three. Case does not count.
 */
export function nearest(given: string, known: Iterable<string>): readonly string[] {
  const wanted = given.toLowerCase()
  const found: { name: string; distance: number }[] = []
  for (const name of known) {
    const candidate = name.toLowerCase()
    const bound = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3))
    if (Math.abs(candidate.length - wanted.length) <= bound) {
      const distance = editDistance(wanted, candidate)
      if (distance <= bound) {
        found.push({ name, distance })
        continue
      }
    }
    if (wanted.length >= 3 && candidate.includes(wanted)) found.push({ name, distance: bound + 1 })
  }
  const least = Math.min(...found.map(one => one.distance))
  return found
    .filter(one => one.distance === least)
    .map(one => one.name)
    .sort()
    .slice(0, 3)
}

/** `did you mean "x" or "y"?`, or an empty string when nothing is near. */
export function didYouMean(given: string, known: Iterable<string>): string {
  const names = nearest(given, known).map(name => `"${name}"`)
  return names.length === 0 ? '' : `did you mean ${names.join(' or ')}?`
}

/** Optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
