import { checkAddedHeaders, checkRemovedHeaders } from './check-headers.ts'
import { checkPlainText, durationMs } from './check-values.ts'
import type { Finding } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
import { readOutlierDetection } from './outlier-detection.ts'
import type { MappingSpec } from './schema/mapping.ts'

/** The most that Linux takes; with more, no connection would be made. */
const keepaliveLimits = { probes: 127, idle_time: 32_767, interval: 32_767 } as const

type ClusterSpec = Pick<
  MappingSpec,
  'keepalive' | 'outlier_detection' | 'enable_ipv4' | 'enable_ipv6' | 'circuit_breakers' | 'health_checks'
>

/** What is wrong with the fields of a Mapping, or another kind that has some of them, that are about its cluster (emissary-resources.md 1.2). */
export function checkClusterOptions(spec: ClusterSpec): readonly Finding[] {
  const { keepalive = {}, outlier_detection: text } = spec
  const outliers = text === undefined ? {} : readOutlierDetection(text)
  const noFamily = spec.enable_ipv4 === false && spec.enable_ipv6 !== true
  return [
    ...checkCircuitBreakers(spec.circuit_breakers),
    ...(spec.health_checks ?? []).flatMap((check, index) => checkHealthCheck(['spec', 'health_checks', index], check)),
    ...(typeof outliers === 'string' ? [{ path: ['spec', 'outlier_detection'], text: outliers }] : []),
    ...(['probes', 'idle_time', 'interval'] as const)
      .filter(field => keepalive[field] !== undefined && (keepalive[field] < 1 || keepalive[field] > keepaliveLimits[field]))
      .map(field => ({ path: ['spec', 'keepalive', field], text: `must be 1 to ${keepaliveLimits[field]}, as systems take it` })),
    ...(noFamily ? [{ path: ['spec', 'enable_ipv4'], text: 'is false and enable_ipv6 is not true: no address is left' }] : []),
  ]
}

/** Envoy has one set of limits per priority. */
function checkCircuitBreakers(given: MappingSpec['circuit_breakers'] = []): readonly Finding[] {
  const priorities = given.map(one => one.priority ?? 'default')
  return priorities.flatMap((priority, index) =>
    priorities.indexOf(priority) === index
      ? []
      : [{ path: ['spec', 'circuit_breakers', index, 'priority'], text: `${priority} stands twice; write one entry per priority` }],
  )
}

function checkHealthCheck(at: FieldPath, check: NonNullable<MappingSpec['health_checks']>[number]): readonly Finding[] {
  const { http, grpc } = check.health_check
  const times = (['timeout', 'interval'] as const)
    .filter(field => check[field] !== undefined && !(durationMs(check[field]) >= 1))
    .map(field => ({ path: [...at, field], text: 'must be at least 1ms' }))
  const path = [...at, 'health_check']
  if ((http === undefined) === (grpc === undefined)) return [...times, { path, text: 'needs http or grpc, one of the two' }]
  if (http === undefined) return [...times, ...checkPlainText([...path, 'grpc', 'authority'], grpc?.authority)]
  const wrong = (http.expected_statuses ?? []).findIndex(({ min, max }) => min > max)
  return [
    ...times,
    ...(http.path.startsWith('/') ? [] : [{ path: [...path, 'http', 'path'], text: 'must start with "/"' }]),
    ...checkPlainText([...path, 'http', 'path'], http.path),
    ...checkPlainText([...path, 'http', 'hostname'], http.hostname),
    ...(wrong < 0 ? [] : [{ path: [...path, 'http', 'expected_statuses', wrong], text: 'min is above max' }]),
    ...checkAddedHeaders([...path, 'http', 'add_request_headers'], http.add_request_headers),
    ...checkRemovedHeaders([...path, 'http', 'remove_request_headers'], http.remove_request_headers),
  ]
}
