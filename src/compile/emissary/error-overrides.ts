import type { IrErrorOverride } from '../../ir/http-options.ts'
import type { Finding } from '../../manifests/checked-object.ts'
import type { FieldPath } from '../../manifests/field-path.ts'
import type { MappingSpec } from '../../manifests/schema/mapping.ts'
import type { Lookups } from './lookups.ts'

const plain = 'text/plain'

/**
 * Reads `error_response_overrides`, which were checked (emissary-resources.md 11). A file is one of this machine, and goes to Envoys as text:
 * a name that means nothing to an Envoy would make it refuse all routes.
 * @param at where the list stands
 * @returns the overrides in the order of their statuses, or what is wrong with a file
 */
export function errorOverrides(
  given: MappingSpec['error_response_overrides'],
  at: FieldPath,
  lookups: Pick<Lookups, 'readFile'>,
): readonly IrErrorOverride[] | Finding {
  const made: IrErrorOverride[] = []
  for (const [index, { on_status_code: status, body }] of (given ?? []).entries()) {
    const { json_format: fields, text_format: text, content_type: contentType = plain } = body
    if (fields !== undefined) made.push({ status, contentType: 'application/json', body: fields })
    else if (text !== undefined) made.push({ status, contentType, body: text })
    else {
      const file = body.text_format_source?.filename ?? ''
      const read = lookups.readFile(file)
      if (read !== undefined && 'problem' in read)
        return { path: [...at, index, 'body', 'text_format_source', 'filename'], text: `${file} ${read.problem}` }
      // Offline nobody knows what will be there.
      made.push({ status, contentType, body: read?.text ?? '' })
    }
  }
  return made.sort((a, b) => a.status - b.status)
}
