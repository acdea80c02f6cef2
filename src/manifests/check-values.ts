import { RE2JS } from 're2js'
import { errorText } from '../model/errors.ts'
import { maxRegexSize, regexSize } from './regex-size.ts'
import type { Finding } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'

/** Rules for single values that several kinds share. Each gives the findings about one field, none if it is right or absent. */

/** Envoy's regular expressions are RE2: no look-around, no back-references. */
export function checkRegex(path: FieldPath, regex: string | undefined): readonly Finding[] {
  if (regex === undefined) return []
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(regex)
  } catch (error) {
    return [{ path, text: `no regular expression of the RE2 kind: ${errorText(error)}` }]
  }
  const wide = [...regex.matchAll(/\\x\{([0-9A-Fa-f]+)\}/g)].find(([, digits]) => Number.parseInt(digits ?? '', 16) > 0xff)
  if (wide !== undefined) return [{ path, text: `${wide[0]} can match nothing: Envoy matches bytes; write the character itself` }]
  const size = regexSize(compiled)
  if (size <= maxRegexSize) return []
  return [
    {
      path,
      text: `is too large an expression: about ${size} steps, and Envoy takes ${maxRegexSize}; repeat less ({1,100} counts 100 times)`,
    },
  ]
}

/** A DNS name, or a glob whose `*` is the whole first or last label (emissary-resources.md 11, "Hosts x Mappings"). */
export function checkHostname(path: FieldPath, hostname: string | undefined): readonly Finding[] {
  if (hostname === undefined || hostname === '*') return []
  const name = hostname.replace(/^\*\./, '').replace(/\.\*$/, '')
  if (hostname.startsWith('*.') && hostname.endsWith('.*')) return [{ path, text: `"${hostname}" has two wildcards; keep one` }]
  if (name.includes('*'))
    return [{ path, text: `"${hostname}": "*" may only be the whole first or last label, as in *.example.com or example.*` }]
  if (name.length > 253 || !/^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?\.?)+$|^\[[0-9A-Fa-f:.]+\]$/.test(name))
    return [{ path, text: `"${hostname}" is no host name; give a DNS name without scheme and path` }]
  return []
}

/** A header name as HTTP has it, or a pseudo-header that Envoy can match. */
export function checkHeaderName(path: FieldPath, name: string): readonly Finding[] {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /^:(authority|method|path|scheme)$/i.test(name)) return []
  return [{ path, text: `"${name}" is no header name` }]
}

/** Values that end up in headers or paths: Envoy refuses line breaks and NUL there. */
export function checkPlainText(path: FieldPath, value: string | undefined): readonly Finding[] {
  const bad = value !== undefined && Array.from(value).some(character => character < ' ' || character === '\u007f')
  return bad ? [{ path, text: 'must not contain control characters or line breaks' }] : []
}

/** A label selector's own rules (Kubernetes). */
export function checkSelector(path: FieldPath, selector: SelectorLike | undefined): readonly Finding[] {
  return (selector?.matchExpressions ?? []).flatMap((expression, index) => {
    const wantsValues = expression.operator === 'In' || expression.operator === 'NotIn'
    const hasValues = (expression.values ?? []).length > 0
    if (wantsValues === hasValues) return []
    const text = wantsValues ? `${expression.operator} needs at least one value` : `${expression.operator} takes no values`
    return [{ path: [...path, 'matchExpressions', index, 'values'], text }]
  })
}

/** A label selector as the schemas give it. */
export interface SelectorLike {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly { key: string; operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; values?: readonly string[] }[]
}

const units: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a duration that fits the schema's pattern, e.g. `1m30s`. */
export function durationMs(duration: string): number {
  let total = 0
  for (const [, amount, unit] of duration.matchAll(/([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h)/g))
    total += Number(amount) * (units[unit ?? ''] ?? 0)
  return total
}
