import type { IrCollector, IrService, IrTag, IrTracing } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import type { TracingServiceSpec } from '../../../manifests/schema/services.ts'
import { refText } from '../../../model/object-ref.ts'
import { serviceCluster, type ServiceContext } from './service-cluster.ts'

const defaultServiceName = 'ambassador'
const defaultZipkinEndpoint = '/api/v2/spans'

/** The one TracingService; every other is refused (emissary-resources.md 7). */
export function compileTracing(services: readonly Checked<'TracingService'>[], context: ServiceContext): IrTracing | undefined {
  const [first, ...others] = services
  for (const other of others) {
    const text = `${first === undefined ? '' : refText(first.manifest.ref)} is there already; one TracingService counts`
    context.report.refuse(other, { path: [], text })
  }
  if (first === undefined) return undefined
  const { spec, manifest } = first
  const http2 = spec.driver === 'opentelemetry'
  const called = serviceCluster(first, { field: 'service', text: spec.service, tls: spec.tls, statsName: spec.stats_name, http2 }, context)
  if (called === undefined) return undefined
  return { collector: collectorOf(spec, called), sampling: spec.sampling ?? {}, tags: tagsOf(spec), origin: manifest.ref }
}

function collectorOf({ driver, config = {} }: TracingServiceSpec, service: IrService): IrCollector {
  if (driver !== 'zipkin')
    return { kind: driver === 'datadog' ? driver : 'opentelemetry', service, serviceName: config.service_name ?? defaultServiceName }
  return {
    kind: 'zipkin',
    service,
    endpoint: config.collector_endpoint ?? defaultZipkinEndpoint,
    version: config.collector_endpoint_version === 'HTTP_PROTO' ? 'HTTP_PROTO' : 'HTTP_JSON',
    hostname: config.collector_hostname,
    traceId128: config.trace_id_128bit ?? true,
    sharedSpanContext: config.shared_span_context ?? true,
  }
}

function tagsOf({ custom_tags: tags, tag_headers: headers }: TracingServiceSpec): readonly IrTag[] {
  if (tags === undefined)
    return (headers ?? []).map(name => ({ tag: name, kind: 'request_header', name: name.toLowerCase(), defaultValue: '' }))
  return tags.flatMap(({ tag, literal, environment, request_header: header }): readonly IrTag[] => {
    if (literal !== undefined) return [{ tag, kind: 'literal', value: literal.value }]
    if (environment !== undefined)
      return [{ tag, kind: 'environment', name: environment.name, defaultValue: environment.default_value ?? '' }]
    if (header === undefined) return []
    return [{ tag, kind: 'request_header', name: header.name.toLowerCase(), defaultValue: header.default_value ?? '' }]
  })
}
