import type { IrErrorOverride } from '../../ir/http-options.ts'
import { any, type PlainAny } from '../codec.ts'

const local = 'envoy.extensions.http.custom_response.local_response_policy.v3.LocalResponsePolicy'
const byStatus = 'envoy.type.matcher.v3.HttpResponseStatusCodeMatchInput'

/** The CustomResponse that answers in the place of answers with these statuses, whoever gave them; none: of all as they are. */
export function customResponse(overrides: readonly IrErrorOverride[]): PlainAny {
  const map = Object.fromEntries(
    overrides.map(one => [String(one.status), { action: { name: `status ${one.status}`, typedConfig: any(local, policy(one)) } }]),
  )
  return any(
    'envoy.extensions.filters.http.custom_response.v3.CustomResponse',
    overrides.length === 0
      ? {}
      : { customResponseMatcher: { matcherTree: { input: { name: 'status', typedConfig: any(byStatus, {}) }, exactMatchMap: { map } } } },
  )
}

function policy({ contentType, body }: IrErrorOverride) {
  const bodyFormat =
    typeof body === 'string'
      ? { textFormatSource: { inlineString: body } }
      : { jsonFormat: { fields: Object.fromEntries(Object.entries(body).map(([key, value]) => [key, { stringValue: value }])) } }
  return {
    bodyFormat: { ...bodyFormat, contentType },
    responseHeadersToAdd: [{ header: { key: 'content-type', value: contentType }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' }],
  }
}
