import { checkClusterOptions } from './check-cluster-options.ts'
import { checkHeaderName, checkPlainText } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { AuthServiceSpec, LogServiceSpec, RateLimitServiceSpec, TracingServiceSpec } from './schema/services.ts'

/** The rules of the service kinds that concern an object alone (emissary-resources.md 7). */

/** Those that Envoy has names for: it takes no other. */
export const statusCodes: ReadonlySet<number> = new Set([
  ...[100, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308],
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426, 428, 429, 431],
  ...[500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
])

export function checkAuthService(spec: AuthServiceSpec): KindFindings {
  const grpc = spec.proto === 'grpc'
  const httpOnly = (['path_prefix', 'add_auth_headers', 'allowed_request_headers', 'allowed_authorization_headers'] as const).filter(
    field => grpc && spec[field] !== undefined,
  )
  return {
    problems: [
      ...(grpc ? checkVersion(spec.protocol_version) : []),
      ...checkClusterOptions(spec),
      ...checkStatus(spec.status_on_error?.code),
      ...checkPlainText(['spec', 'path_prefix'], spec.path_prefix),
      ...Object.entries(spec.add_auth_headers ?? {}).flatMap(([name, value]) => [
        ...checkHeaderName(['spec', 'add_auth_headers', name], name),
        ...checkPlainText(['spec', 'add_auth_headers', name], value),
      ]),
      ...checkHeaderNames('allowed_request_headers', spec.allowed_request_headers),
      ...checkHeaderNames('allowed_authorization_headers', spec.allowed_authorization_headers),
    ],
    notices: [
      ...httpOnly.map(
        field => `spec.${field} has no effect with proto grpc: the service gets the whole request and names the headers itself`,
      ),
      ...(spec.include_body !== undefined && spec.allow_request_body !== undefined
        ? ['spec.allow_request_body has no effect beside spec.include_body']
        : []),
      ...(!grpc && spec.protocol_version === 'v2' ? ['spec.protocol_version has no effect with proto http'] : []),
    ],
  }
}

export function checkRateLimitService(spec: RateLimitServiceSpec): KindFindings {
  return { problems: checkVersion(spec.protocol_version), notices: [] }
}

export function checkLogService(spec: LogServiceSpec): KindFindings {
  const headers = (spec.driver_config?.additional_log_headers ?? []).flatMap(({ header_name: name }, index) =>
    checkHeaderName(['spec', 'driver_config', 'additional_log_headers', index, 'header_name'], name),
  )
  const grpc: readonly Finding[] =
    spec.grpc === true ? [] : [{ path: ['spec', 'grpc'], text: 'must be true: Envoy speaks gRPC to log services, and nothing else' }]
  return {
    problems: [...checkVersion(spec.protocol_version), ...grpc, ...headers],
    notices:
      spec.driver === 'tcp' && spec.driver_config?.additional_log_headers !== undefined
        ? ['spec.driver_config.additional_log_headers has no effect with driver tcp']
        : [],
  }
}

export function checkTracingService(spec: TracingServiceSpec): KindFindings {
  const problems: Finding[] = []
  if (spec.driver === 'lightstep')
    problems.push({ path: ['spec', 'driver'], text: 'lightstep is not in Envoy any more; use opentelemetry, which its collectors take' })
  for (const [index, tag] of (spec.custom_tags ?? []).entries()) {
    const given = (['literal', 'environment', 'request_header'] as const).filter(key => tag[key] !== undefined)
    if (given.length !== 1)
      problems.push({
        path: ['spec', 'custom_tags', index],
        text: `needs exactly one of literal, environment and request_header, got ${given.length}`,
      })
    const header = tag.request_header?.name
    if (header !== undefined) problems.push(...checkHeaderName(['spec', 'custom_tags', index, 'request_header', 'name'], header))
  }
  problems.push(...checkHeaderNames('tag_headers', spec.tag_headers))
  if (spec.config?.collector_endpoint_version === 'HTTP_JSON_V1')
    problems.push({ path: ['spec', 'config', 'collector_endpoint_version'], text: 'HTTP_JSON_V1 is not in Envoy any more; use HTTP_JSON' })
  const other = spec.driver !== 'zipkin' && spec.config?.collector_endpoint !== undefined
  return {
    problems,
    notices: [
      ...(other ? [`spec.config.collector_endpoint has no effect with driver ${spec.driver}`] : []),
      ...(spec.tag_headers !== undefined && spec.custom_tags !== undefined
        ? ['spec.tag_headers has no effect beside spec.custom_tags']
        : []),
    ],
  }
}

/** Left out, it is v3: Emissary's own default would refuse what every service speaks today. */
function checkVersion(version: 'v2' | 'v3' | undefined): readonly Finding[] {
  if (version !== 'v2') return []
  return [{ path: ['spec', 'protocol_version'], text: 'v2 is not in Envoy any more; the service must speak v3' }]
}

function checkStatus(code: number | undefined): readonly Finding[] {
  if (code === undefined || statusCodes.has(code)) return []
  return [{ path: ['spec', 'status_on_error', 'code'], text: `${code} is no status that Envoy can answer; 403 and 503 are usual` }]
}

function checkHeaderNames(field: string, names: readonly string[] = []): readonly Finding[] {
  return names.flatMap((name, index) => checkHeaderName(['spec', field, index], name))
}
