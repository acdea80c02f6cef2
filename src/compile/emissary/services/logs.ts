import type { IrLog } from '../../../ir/http-services.ts'
import type { Checked } from '../../../manifests/checked-object.ts'
import { serviceCluster, type ServiceContext } from './service-cluster.ts'

const defaultFlushMs = 1_000
const defaultFlushBytes = 16_384

/** The gRPC access logs of all LogServices (emissary-resources.md 7). */
export function compileLogs(services: readonly Checked<'LogService'>[], context: ServiceContext): readonly IrLog[] {
  return services.flatMap(service => {
    const { spec, manifest } = service
    const called = serviceCluster(
      service,
      { field: 'service', text: spec.service, tls: spec.tls, statsName: spec.stats_name, http2: true },
      context,
    )
    if (called === undefined) return []
    const headers = spec.driver_config?.additional_log_headers ?? []
    const during = (phase: 'during_request' | 'during_response' | 'during_trailer'): readonly string[] =>
      headers.filter(header => header[phase] !== false).map(header => header.header_name.toLowerCase())
    return [
      {
        name: `${manifest.namespace}/${manifest.name}`,
        driver: spec.driver,
        service: called,
        flushIntervalMs: spec.flush_interval_time === undefined ? defaultFlushMs : spec.flush_interval_time * 1000,
        flushBytes: spec.flush_interval_byte_size ?? defaultFlushBytes,
        requestHeaders: during('during_request'),
        responseHeaders: during('during_response'),
        responseTrailers: during('during_trailer'),
        origin: manifest.ref,
      },
    ]
  })
}
