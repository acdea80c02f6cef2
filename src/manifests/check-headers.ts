import { checkFormat } from './check-format.ts'
import { checkHeaderName, checkPlainText } from './check-values.ts'
import type { Finding } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'

type Added = Readonly<Record<string, { readonly value?: string }>>

/** Headers that a route adds. Envoy refuses a change of pseudo-headers and of `host`, and values that it cannot read. */
export function checkAddedHeaders(at: FieldPath, given: Added = {}): readonly Finding[] {
  return Object.entries(given).flatMap(([name, { value = '' }]) => [
    ...checkChangedHeader([...at, name], name),
    ...checkPlainText([...at, name, 'value'], value),
    ...checkFormat([...at, name, 'value'], value),
  ])
}

/** Headers that a route removes. */
export function checkRemovedHeaders(at: FieldPath, names: readonly string[] = []): readonly Finding[] {
  return names.flatMap((name, index) => checkChangedHeader([...at, index], name))
}

function checkChangedHeader(path: FieldPath, name: string): readonly Finding[] {
  if (name.startsWith(':') || name.toLowerCase() === 'host')
    return [{ path, text: `"${name}" cannot be changed here: use host_rewrite for the host, rewrite for the path` }]
  return checkHeaderName(path, name)
}
