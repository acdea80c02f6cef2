import { checkClusterOptions } from './check-cluster-options.ts'
import { checkErrorOverrides } from './check-error-overrides.ts'
import { checkAddedHeaders, checkRemovedHeaders } from './check-headers.ts'
import { checkSubstitution } from './check-substitution.ts'
import { durationMs, checkHeaderName, checkHostname, checkPlainText, checkRegex } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
import type { FieldPath } from './field-path.ts'
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
    ...checkRewrites(spec),
    ...checkClusterOptions(spec),
    ...checkAddedHeaders(['spec', 'add_request_headers'], spec.add_request_headers),
    ...checkAddedHeaders(['spec', 'add_response_headers'], spec.add_response_headers),
    ...checkRemovedHeaders(['spec', 'remove_request_headers'], spec.remove_request_headers),
    ...checkRemovedHeaders(['spec', 'remove_response_headers'], spec.remove_response_headers),
    ...(spec.allow_upgrade ?? []).flatMap((protocol, index) => checkProtocol(['spec', 'allow_upgrade', index], protocol)),
    ...checkRetry(spec.retry_policy?.per_try_timeout),
    ...checkCors(spec.cors),
    ...checkErrorOverrides(['spec', 'error_response_overrides'], spec.error_response_overrides),
  ]
  return { problems, notices: notices(spec) }
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

function checkRewrites(spec: MappingSpec): readonly Finding[] {
  const redirects = (['path_redirect', 'prefix_redirect', 'regex_redirect'] as const).filter(field => spec[field] !== undefined)
  const [, second] = redirects
  return [
    ...checkSubstitution(['spec', 'regex_rewrite'], spec.regex_rewrite),
    ...checkSubstitution(['spec', 'regex_redirect'], spec.regex_redirect),
    ...checkPlainText(['spec', 'host_rewrite'], spec.host_rewrite),
    ...checkPlainText(['spec', 'path_redirect'], spec.path_redirect),
    ...checkPlainText(['spec', 'prefix_redirect'], spec.prefix_redirect),
    ...(second === undefined ? [] : [{ path: ['spec', second], text: `give one of ${redirects.join(' and ')}` }]),
  ]
}

/** The name of a protocol, with a version or without (RFC 9110, 7.8). */
function checkProtocol(path: FieldPath, protocol: string): readonly Finding[] {
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+(\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/.test(protocol)) return []
  return [{ path, text: `"${protocol}" is no protocol of an Upgrade header, such as websocket` }]
}

function checkRetry(perTry: string | undefined): readonly Finding[] {
  if (perTry === undefined || durationMs(perTry) >= 1) return []
  return [{ path: ['spec', 'retry_policy', 'per_try_timeout'], text: 'must be at least 1ms' }]
}

function checkCors(cors: MappingSpec['cors']): readonly Finding[] {
  const age = cors?.max_age
  return [
    ...(['origins', 'methods', 'headers', 'exposed_headers'] as const).flatMap(field =>
      (cors?.[field] ?? []).flatMap((value, index) => checkPlainText(['spec', 'cors', field, index], value)),
    ),
    ...(age === undefined || /^[0-9]+$/.test(age) ? [] : [{ path: ['spec', 'cors', 'max_age'], text: `"${age}" is no number of seconds` }]),
  ]
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
  if (spec.bypass_error_response_overrides === true && spec.error_response_overrides !== undefined)
    found.push('spec.error_response_overrides has no effect beside spec.bypass_error_response_overrides')
  return found
}
