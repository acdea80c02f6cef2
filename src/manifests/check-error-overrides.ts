import { checkFormat, logCommands } from './check-format.ts'
import { checkPlainText } from './check-values.ts'
import { statusCodes } from './check-services.ts'
import type { Finding } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
import type { MappingSpec } from './schema/mapping.ts'

/** The rules of `error_response_overrides` (emissary-resources.md 11, "Error overrides"). */
export function checkErrorOverrides(at: FieldPath, given: MappingSpec['error_response_overrides'] = []): readonly Finding[] {
  return given.flatMap(({ on_status_code: code, body }, index): readonly Finding[] => {
    const path = [...at, index]
    const forms = (['text_format', 'json_format', 'text_format_source'] as const).filter(form => body[form] !== undefined)
    return [
      ...(given.findIndex(one => one.on_status_code === code) === index
        ? []
        : [{ path: [...path, 'on_status_code'], text: `${code} stands twice; one entry counts per status` }]),
      ...(statusCodes.has(code) ? [] : [{ path: [...path, 'on_status_code'], text: `${code} is no status that Envoy knows` }]),
      ...(forms.length === 1
        ? []
        : [{ path: [...path, 'body'], text: `needs exactly one of text_format, json_format and text_format_source, got ${forms.length}` }]),
      ...(body.text_format === undefined ? [] : checkFormat([...path, 'body', 'text_format'], body.text_format, logCommands)),
      ...Object.entries(body.json_format ?? {}).flatMap(([key, value]) =>
        checkFormat([...path, 'body', 'json_format', key], value, logCommands),
      ),
      ...checkPlainText([...path, 'body', 'content_type'], body.content_type),
    ]
  })
}
