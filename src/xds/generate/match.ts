import type { IrMatch, IrValueMatch } from '../../ir/route-table.ts'
import { IsthmusError } from '../../model/errors.ts'
import type { PlainMessage } from '../codec.ts'

const denominators = { 100: 'HUNDRED', 10_000: 'TEN_THOUSAND', 1_000_000: 'MILLION' } as const

const specifiers = { exact: 'path', prefix: 'prefix', segments: 'pathSeparatedPrefix' } as const

/** The envoy.config.route.v3.RouteMatch of a condition. */
export function routeMatch(match: IrMatch): PlainMessage {
  return {
    ...pathMatch(match.path),
    headers: match.headers.map(headerMatch),
    queryParameters: match.query.map(queryMatch),
    ...(match.percent === undefined ? {} : { runtimeFraction: { defaultValue: fraction(match.percent, match.percentOf ?? 100) } }),
  }
}

/** The expression a regex path is matched by, and replaced by when it is rewritten. Envoy's `case_sensitive` has no effect on those. */
export function pathRegex(path: IrMatch['path']): string {
  return path.caseSensitive ? path.value : `(?i)${path.value}`
}

function pathMatch(path: IrMatch['path']): PlainMessage {
  if (path.kind === 'regex') return { safeRegex: { regex: pathRegex(path) } }
  const specifier = { [specifiers[path.kind]]: path.value }
  return path.caseSensitive ? specifier : { ...specifier, caseSensitive: { value: false } }
}

/** See IrMatch.percentOf for why the denominator is not the same everywhere. */
function fraction(percent: number, percentOf: keyof typeof denominators): PlainMessage {
  return { numerator: Math.round((percent * percentOf) / 100), denominator: denominators[percentOf] }
}

function headerMatch({ name, kind, value, invert = false }: IrValueMatch): PlainMessage {
  if (kind === 'present') return { name, presentMatch: true, ...(invert ? { invertMatch: true } : {}) }
  // Otherwise Envoy takes a missing header for one that does not fulfil the inverted condition either.
  return { name, stringMatch: stringMatch(kind, value), ...(invert ? { invertMatch: true, treatMissingHeaderAsEmpty: true } : {}) }
}

function queryMatch({ name, kind, value, invert = false }: IrValueMatch): PlainMessage {
  if (kind === 'present') return { name, presentMatch: !invert }
  if (invert) throw new IsthmusError('internal', `Envoy has no inverted match of a query parameter's value (${name})`)
  return { name, stringMatch: stringMatch(kind, value) }
}

function stringMatch(kind: 'exact' | 'regex', value: string): PlainMessage {
  return kind === 'exact' ? { exact: value } : { safeRegex: { regex: value } }
}
