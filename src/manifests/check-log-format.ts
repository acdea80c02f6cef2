import { checkFormat, logCommands } from './check-format.ts'
import type { Finding } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
import type { ModuleConfig } from './schema/module.ts'

/** The format of the access log: a text of its own lines, or of each field of a JSON object. */
export function checkLogFormat(path: FieldPath, config: ModuleConfig): readonly Finding[] {
  const { envoy_log_format: format, envoy_log_type: type = 'text' } = config
  if (format === undefined) return []
  if (typeof format === 'string')
    return type === 'text' ? checkFormat(path, format, logCommands) : [{ path, text: `must be a mapping with envoy_log_type ${type}` }]
  if (type === 'text') return [{ path, text: 'must be text with envoy_log_type text; set envoy_log_type: json for a mapping' }]
  return Object.entries(format).flatMap(([key, value]) => checkFormat([...path, key], value, logCommands))
}
