import { RE2JS } from 're2js'
import { checkPlainText, checkRegex } from './check-values.ts'
import type { Finding } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'

/** A pattern and what stands in its place. Envoy refuses references to groups that the pattern does not have. */
export function checkSubstitution(
  at: FieldPath,
  given: { readonly pattern: string; readonly substitution?: string } | undefined,
): readonly Finding[] {
  if (given === undefined) return []
  const { pattern, substitution = '' } = given
  const path = [...at, 'substitution']
  const problems = [...checkRegex([...at, 'pattern'], pattern), ...checkPlainText(path, substitution)]
  if (problems.length > 0) return problems
  const groups = RE2JS.compile(pattern).groupCount()
  for (const [, escaped = ''] of substitution.matchAll(/\\(.?)/gs)) {
    if (escaped === '\\') continue
    if (!/[0-9]/.test(escaped))
      return [{ path, text: `"\\${escaped}": behind a backslash stands the number of a group, or another backslash` }]
    if (Number(escaped) > groups) return [{ path, text: `\\${escaped} is no group of the pattern, which has ${groups}` }]
  }
  return []
}
