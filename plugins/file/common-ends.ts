/** Bytes that two buffers are compared at once. */
const chunk = 64 * 1024

/** How many bytes two buffers have in common at their start. */
export function commonPrefix(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length)
  let at = 0
  let step = chunk
  while (at < length && step > 0) {
    const end = Math.min(at + step, length)
    if (a.compare(b, at, end, at, end) === 0) at = end
    else step = step === 1 ? 0 : Math.ceil(step / 4)
  }
  return at
}

/** How many bytes two buffers have in common at their end, at most `limit`. */
export function commonSuffix(a: Buffer, b: Buffer, limit: number): number {
  let found = 0
  let step = chunk
  while (found < limit && step > 0) {
    const next = Math.min(found + step, limit)
    if (a.compare(b, b.length - next, b.length - found, a.length - next, a.length - found) === 0) found = next
    else step = step === 1 ? 0 : Math.ceil(step / 4)
  }
  return found
}
