import type { IrDescriptor, IrDescriptorEntry, IrRateLimit } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import { refText } from '../../../model/object-ref.ts'
import type { MappingSpec } from '../../../manifests/schema/mapping.ts'
import { serviceCluster, type ServiceContext } from './service-cluster.ts'

const defaultTimeoutMs = 20
/** Envoy tells the descriptors of several services apart by stage, and has these. */
const stages = 11

/**
 * The filters of all RateLimitServices, one per domain (emissary-resources.md 7; several domains: emissary#5238).
 * @param defaultDomain of those that name none
 */
export function compileRateLimits(
  services: readonly Checked<'RateLimitService'>[],
  defaultDomain: string,
  context: ServiceContext,
): readonly IrRateLimit[] {
  const byDomain = new Map<string, Checked<'RateLimitService'>>()
  const made: IrRateLimit[] = []
  for (const service of services) {
    const { spec, manifest } = service
    const domain = spec.domain ?? defaultDomain
    const first = byDomain.get(domain)
    if (first !== undefined) {
      context.report.refuse(service, {
        path: ['spec', 'domain'],
        text: `${domain} is that of ${refText(first.manifest.ref)}; a domain has one service`,
      })
      continue
    }
    if (byDomain.size === stages) {
      context.report.refuse(service, {
        path: ['spec', 'domain'],
        text: `there are ${stages} domains already, as many as Envoy tells apart`,
      })
      continue
    }
    byDomain.set(domain, service)
    const called = serviceCluster(
      service,
      { field: 'service', text: spec.service, tls: spec.tls, statsName: spec.stats_name, http2: true },
      context,
    )
    if (called === undefined) continue
    made.push({
      filter: `ratelimit ${domain}`,
      service: called,
      domain,
      stage: byDomain.size - 1,
      timeoutMs: spec.timeout_ms ?? defaultTimeoutMs,
      failClosed: spec.failure_mode_deny ?? false,
      resourceExhausted: spec.grpc?.use_resource_exhausted_code ?? false,
      origin: manifest.ref,
    })
  }
  return made
}

type Labels = NonNullable<MappingSpec['labels']>
type Specifier = NonNullable<NonNullable<Labels[string]>[number][string]>[number]

/** The descriptors of a Mapping's `labels`, one per group (emissary-resources.md 11), and the domains that nobody serves. */
export function descriptorsOf(
  labels: Labels | undefined,
  services: readonly IrRateLimit[],
): { readonly descriptors: readonly IrDescriptor[]; readonly unserved: readonly string[] } {
  const descriptors: IrDescriptor[] = []
  const unserved: string[] = []
  for (const [domain, groups] of Object.entries(labels ?? {})) {
    const service = services.find(one => one.domain === domain)
    if (service === undefined) {
      unserved.push(domain)
      continue
    }
    for (const group of groups)
      for (const specifiers of Object.values(group)) descriptors.push({ stage: service.stage, entries: specifiers.flatMap(entryOf) })
  }
  return { descriptors: descriptors.filter(({ entries }) => entries.length > 0), unserved }
}

function entryOf(specifier: Specifier): readonly IrDescriptorEntry[] {
  const { generic_key: generic, request_headers: header } = specifier
  if (generic !== undefined) return [{ kind: 'generic_key', key: generic.key ?? 'generic_key', value: generic.value }]
  if (header !== undefined)
    return [
      { kind: 'request_header', key: header.key, header: header.header_name.toLowerCase(), optional: header.omit_if_not_present ?? false },
    ]
  const kinds = ['source_cluster', 'destination_cluster', 'remote_address'] as const
  return kinds.filter(kind => specifier[kind] !== undefined).map(kind => ({ kind }))
}
