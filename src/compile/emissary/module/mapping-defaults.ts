import type { Checked } from '../../../manifests/checked-object.ts'
import type { MappingSpec } from '../../../manifests/schema/mapping.ts'
import type { ModuleConfig } from '../../../manifests/schema/module.ts'
import { withoutUndefined } from '../without-undefined.ts'

/** What the Module says of groups where none of their members says it: of several members the last one that does decides. */
export type GroupDefaults = Pick<MappingSpec, 'cors' | 'retry_policy'>

export function groupDefaults({ cors, retry_policy }: ModuleConfig): GroupDefaults {
  return withoutUndefined({ cors, retry_policy })
}

/** The Mapping with the Module's word where it has none of its own (emissary-resources.md 6). Its manifest stays as it was written. */
export function withDefaults(mapping: Checked<'Mapping'>, config: ModuleConfig): Checked<'Mapping'> {
  const { httpmapping = {}, ...direct } = config.defaults ?? {}
  const of = <Key extends keyof typeof httpmapping & keyof typeof direct>(key: Key) => httpmapping[key] ?? direct[key]
  const defaults: Partial<MappingSpec> = withoutUndefined({
    add_linkerd_headers: config.add_linkerd_headers,
    add_request_headers: of('add_request_headers'),
    add_response_headers: of('add_response_headers'),
    remove_request_headers: of('remove_request_headers'),
    remove_response_headers: of('remove_response_headers'),
    stats_name: of('stats_name'),
    circuit_breakers: config.circuit_breakers,
    cluster_idle_timeout_ms: config.cluster_idle_timeout_ms,
    cluster_max_connection_lifetime_ms: config.cluster_max_connection_lifetime_ms,
    timeout_ms: config.cluster_request_timeout_ms,
    enable_ipv4: config.enable_ipv4,
    enable_ipv6: config.enable_ipv6,
    keepalive: keepalive(config),
    load_balancer: config.load_balancer,
  })
  const labels = withDefaultLabels(mapping.spec.labels, config)
  return { ...mapping, spec: { ...defaults, ...mapping.spec, ...(labels === undefined ? {} : { labels }) } }
}

/** Emissary reads `time`, and documents `idle_time`. */
function keepalive({ keepalive: given }: ModuleConfig): MappingSpec['keepalive'] {
  if (given === undefined) return undefined
  const { time, ...rest } = given
  return time === undefined ? rest : { idle_time: time, ...rest }
}

/** The Module's labels of a domain stand before those of each group, and are a group of their own where there is none. */
function withDefaultLabels(labels: MappingSpec['labels'], { default_labels: defaults = {} }: ModuleConfig): MappingSpec['labels'] {
  const joined = { ...labels }
  for (const [domain, { defaults: first = [] }] of Object.entries(defaults)) {
    if (first.length === 0) continue
    const groups = joined[domain] ?? []
    joined[domain] =
      groups.length === 0
        ? [{ defaults: first }]
        : groups.map(group => Object.fromEntries(Object.entries(group).map(([name, specifiers]) => [name, [...first, ...specifiers]])))
  }
  return Object.keys(joined).length === 0 ? undefined : joined
}

/** The TLSContext with the Module's word on whether `name.namespace` of a Secret reaches another namespace, where it has none of its own. */
export function withSecretNamespacing(context: Checked<'TLSContext'>, { defaults }: ModuleConfig): Checked<'TLSContext'> {
  const namespacing = defaults?.tls_secret_namespacing
  return namespacing === undefined ? context : { ...context, spec: { secret_namespacing: namespacing, ...context.spec } }
}
