import { checkHeaderName, checkHostname, checkPlainText, checkRegex } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
import { readOutlierDetection } from './outlier-detection.ts'
import type { LoadBalancerSpec } from './schema/mapping-upstream.ts'
import type { MappingSpec } from './schema/mapping.ts'

/** The rules of a Mapping that concern it alone (emissary-resources.md 1, 10). */
export function checkMapping(spec: MappingSpec): KindFindings {
  const problems: Finding[] = [
    ...(spec.prefix_regex === true ? checkRegex(['spec', 'prefix'], spec.prefix) : checkPlainText(['spec', 'prefix'], spec.prefix)),
    ...checkHostname(['spec', 'hostname'], spec.hostname),
    ...(spec.host_regex === true ? checkRegex(['spec', 'host'], spec.host) : checkHostname(['spec', 'host'], spec.host)),
    ...(spec.method_regex === true ? checkRegex(['spec', 'method'], spec.method) : checkPlainText(['spec', 'method'], spec.method)),
    ...Object.keys(spec.headers ?? {}).flatMap(name => checkHeaderName(['spec', 'headers', name], name)),
    ...Object.entries(spec.regex_headers ?? {}).flatMap(([name, regex]) => [
      ...checkHeaderName(['spec', 'regex_headers', name], name),
      ...checkRegex(['spec', 'regex_headers', name], regex),
    ]),
    ...Object.entries(spec.regex_query_parameters ?? {}).flatMap(([name, regex]) =>
      checkRegex(['spec', 'regex_query_parameters', name], regex),
    ),
    ...checkPlainText(['spec', 'rewrite'], spec.rewrite),
    ...checkLoadBalancer(spec.load_balancer),
    ...checkUpstreamTls(spec.tls),
    ...checkRewrites(spec),
    ...checkOutliers(spec.outlier_detection),
    ...(spec.health_checks ?? []).flatMap(({ health_check: check }, index) =>
      checkProbe(['spec', 'health_checks', index, 'health_check'], check),
    ),
    ...checkAddedHeaders(['spec', 'add_request_headers'], spec.add_request_headers),
    ...checkAddedHeaders(['spec', 'add_response_headers'], spec.add_response_headers),
    ...(['remove_request_headers', 'remove_response_headers'] as const).flatMap(field =>
      (spec[field] ?? []).flatMap((name, index) => checkHeaderName(['spec', field, index], name)),
    ),
    ...(spec.allow_upgrade ?? []).flatMap((name, index) => checkHeaderName(['spec', 'allow_upgrade', index], name)),
  ]
  return { problems, notices: notices(spec), unsupported: [] }
}

/** `round_robin` and `least_request` take no other key; the hashing policies exactly one of cookie, header, source_ip. */
function checkLoadBalancer(balancer: LoadBalancerSpec | undefined): readonly Finding[] {
  if (balancer === undefined) return []
  const path = ['spec', 'load_balancer']
  const keys = (['cookie', 'header', 'source_ip'] as const).filter(key => balancer[key] !== undefined)
  if (balancer.policy === 'round_robin' || balancer.policy === 'least_request')
    return keys.map(key => ({ path: [...path, key], text: `has no meaning with policy ${balancer.policy}; use ring_hash or maglev` }))
  if (keys.length !== 1)
    return [{ path, text: `policy ${balancer.policy} needs exactly one of cookie, header and source_ip, got ${keys.length}` }]
  if (balancer.source_ip === false) return [{ path: [...path, 'source_ip'], text: 'must be true, or give cookie or header instead' }]
  return [
    ...(balancer.header === undefined ? [] : checkHeaderName([...path, 'header'], balancer.header)),
    ...checkPlainText([...path, 'cookie', 'name'], balancer.cookie?.name),
    ...checkPlainText([...path, 'cookie', 'path'], balancer.cookie?.path),
  ]
}

/** TLS towards upstreams is not built: cleartext to a TLS port would be wrong, and cleartext instead of TLS would be worse. */
export function checkUpstreamTls(tls: string | undefined): readonly Finding[] {
  if (tls === undefined || tls === '') return []
  return [
    {
      path: ['spec', 'tls'],
      text: 'TLS to upstreams is not built yet, and the requests are not sent in cleartext instead; remove the field',
    },
  ]
}

function checkRewrites(spec: MappingSpec): readonly Finding[] {
  const redirects = (['path_redirect', 'prefix_redirect', 'regex_redirect'] as const).filter(field => spec[field] !== undefined)
  const [, second] = redirects
  return [
    ...checkRegex(['spec', 'regex_rewrite', 'pattern'], spec.regex_rewrite?.pattern),
    ...checkRegex(['spec', 'regex_redirect', 'pattern'], spec.regex_redirect?.pattern),
    ...checkPlainText(['spec', 'host_rewrite'], spec.host_rewrite),
    ...checkPlainText(['spec', 'path_redirect'], spec.path_redirect),
    ...checkPlainText(['spec', 'prefix_redirect'], spec.prefix_redirect),
    ...(second === undefined ? [] : [{ path: ['spec', second], text: `give one of ${redirects.join(' and ')}` }]),
  ]
}

function checkOutliers(text: string | undefined): readonly Finding[] {
  const read = text === undefined ? {} : readOutlierDetection(text)
  return typeof read === 'string' ? [{ path: ['spec', 'outlier_detection'], text: read }] : []
}

type Probe = NonNullable<MappingSpec['health_checks']>[number]['health_check']

function checkProbe(path: FieldPath, { http, grpc }: Probe): readonly Finding[] {
  if ((http === undefined) === (grpc === undefined)) return [{ path, text: 'needs http or grpc, one of the two' }]
  const wrong = (http?.expected_statuses ?? []).findIndex(({ min, max }) => min > max)
  return [
    ...(http !== undefined && !http.path.startsWith('/') ? [{ path: [...path, 'http', 'path'], text: 'must start with "/"' }] : []),
    ...(wrong < 0 ? [] : [{ path: [...path, 'http', 'expected_statuses', wrong], text: 'min is above max' }]),
    ...checkAddedHeaders([...path, 'http', 'add_request_headers'], http?.add_request_headers),
  ]
}

function checkAddedHeaders(path: FieldPath, given: Readonly<Record<string, { value?: string }>> | undefined): readonly Finding[] {
  return Object.entries(given ?? {}).flatMap(([name, { value }]) => [
    ...(name.startsWith(':') || /^host$/i.test(name)
      ? [{ path: [...path, name], text: 'cannot be set here: use host_rewrite, rewrite or method' }]
      : checkHeaderName([...path, name], name)),
    ...checkPlainText([...path, name, 'value'], value),
  ])
}

function notices(spec: MappingSpec): readonly string[] {
  const found: string[] = []
  if (spec.prefix_regex === true && spec.prefix_exact === true) found.push('spec.prefix_exact has no effect beside spec.prefix_regex')
  if (spec.prefix_regex === true && spec.rewrite === undefined)
    found.push('spec.rewrite is "/" by default, which replaces the whole path of a spec.prefix_regex; set rewrite: "" to leave the path')
  if (spec.prefix_regex !== true && !spec.prefix.startsWith('/')) found.push('spec.prefix does not start with "/": no request can match')
  if (spec.hostname !== undefined && spec.host !== undefined) found.push('spec.host has no effect beside spec.hostname')
  const redirects = (['path_redirect', 'prefix_redirect', 'regex_redirect', 'redirect_response_code'] as const).filter(
    field => spec[field] !== undefined,
  )
  if (spec.host_redirect !== true) for (const field of redirects) found.push(`spec.${field} has no effect without spec.host_redirect`)
  if (spec.shadow === true && spec.host_redirect === true) found.push('spec.host_redirect has no effect beside spec.shadow')
  if (spec.regex_rewrite !== undefined && spec.rewrite !== undefined) found.push('spec.rewrite has no effect beside spec.regex_rewrite')
  if (spec.host_rewrite !== undefined && spec.auto_host_rewrite === true)
    found.push('spec.auto_host_rewrite has no effect beside spec.host_rewrite')
  return found
}
