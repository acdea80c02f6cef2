import type { RE2JS } from 're2js'

/**
 * The largest estimate that is accepted. Emissary's bound is 200 of Envoy's own count (`regex_max_size`, emissary-resources.md 6); the
 * estimate is never below that count and at most about a quarter above it, so what Emissary takes is taken here.
 */
export const maxRegexSize = 300

/** What the compiled programs of others have more than ours: the instructions around a whole match. */
const frame = 4
const asciiEnd = 0x7f
const byteEnd = 0xff

/** The instructions of a compiled expression; the library's types leave them out. */
interface Program {
  readonly inst: readonly { readonly runes: ArrayLike<number> }[]
}

/**
 * An upper bound of the size of an expression's program in Envoy, which refuses a whole route configuration for one expression that is too
 * large. Envoy matches bytes: a class of characters costs an instruction for each of its ranges up to 255, a character beyond ASCII one for
 * each of its bytes. Measured against Envoy in test/envoy/regex-size.test.ts.
 */
export function regexSize(regex: RE2JS): number {
  const { prog } = regex.re2() as unknown as { readonly prog: Program }
  return prog.inst.reduce((sum, { runes }) => sum + (runes.length < 2 ? literalSize(runes[0] ?? 0) : classSize(runes)), frame)
}

function literalSize(rune: number): number {
  return rune <= asciiEnd ? 1 : Buffer.byteLength(String.fromCodePoint(rune))
}

/** Ranges as pairs of first and last. */
function classSize(runes: ArrayLike<number>): number {
  let ranges = 0
  for (let at = 0; at < runes.length; at += 2) if ((runes[at] ?? 0) <= byteEnd) ranges++
  return Math.max(1, ranges)
}
