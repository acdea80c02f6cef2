import { checkHeaderName, checkHostname, checkPlainText, checkRegex } from './check-values.ts'
import type { Finding, KindFindings } from './checked-object.ts'
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
  ]
  const left = leftOut(spec)
  return { problems, notices: notices(spec), unsupported: [], ...(left === undefined ? {} : { notServed: left }) }
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

function leftOut(spec: MappingSpec): string | undefined {
  if (spec.shadow === true)
    return 'not served: mirroring (spec.shadow) is not built yet, and without it this Mapping would take real requests'
  if (spec.host_redirect === true) return 'not served: redirects (spec.host_redirect) are not built yet'
  return undefined
}

function notices(spec: MappingSpec): readonly string[] {
  const found: string[] = []
  if (spec.prefix_regex === true && spec.prefix_exact === true) found.push('spec.prefix_exact has no effect beside spec.prefix_regex')
  if (spec.prefix_regex === true && spec.rewrite === undefined)
    found.push('spec.rewrite is "/" by default, which replaces the whole path of a spec.prefix_regex; set rewrite: "" to leave the path')
  if (spec.prefix_regex !== true && !spec.prefix.startsWith('/')) found.push('spec.prefix does not start with "/": no request can match')
  if (spec.hostname !== undefined && spec.host !== undefined) found.push('spec.host has no effect beside spec.hostname')
  return found
}
