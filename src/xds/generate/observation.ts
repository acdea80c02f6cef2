import type { IrAccessLog } from '../../ir/http-options.ts'
import type { IrCollector, IrLog, IrTag, IrTracing } from '../../ir/http-services.ts'
import { any, duration, type PlainMessage } from '../codec.ts'
import { grpcService } from './http-filters.ts'

/** The access log that tells a gRPC service about every request, or connection of a TCPMapping. */
export function accessLog(log: IrLog): PlainMessage {
  const commonConfig = {
    logName: log.name,
    grpcService: grpcService(log.service),
    transportApiVersion: 'V3',
    bufferFlushInterval: duration(log.flushIntervalMs),
    bufferSizeBytes: { value: log.flushBytes },
  }
  const loggers = 'envoy.extensions.access_loggers.grpc.v3'
  if (log.driver === 'tcp') return { name: `log ${log.name}`, typedConfig: any(`${loggers}.TcpGrpcAccessLogConfig`, { commonConfig }) }
  return {
    name: `log ${log.name}`,
    typedConfig: any(`${loggers}.HttpGrpcAccessLogConfig`, {
      commonConfig,
      additionalRequestHeadersToLog: log.requestHeaders,
      additionalResponseHeadersToLog: log.responseHeaders,
      additionalResponseTrailersToLog: log.responseTrailers,
    }),
  }
}

/** The access log that an Envoy writes itself. */
export function ownAccessLog({ to, format }: IrAccessLog): PlainMessage {
  const logFormat =
    typeof format === 'string'
      ? { textFormatSource: { inlineString: format } }
      : { jsonFormat: { fields: Object.fromEntries(Object.entries(format).map(([key, value]) => [key, { stringValue: value }])) } }
  const loggers = 'envoy.extensions.access_loggers'
  if (typeof to === 'object')
    return { name: 'log file', typedConfig: any(`${loggers}.file.v3.FileAccessLog`, { path: to.file, logFormat }) }
  const type = to === 'stdout' ? 'StdoutAccessLog' : 'StderrAccessLog'
  return { name: `log ${to}`, typedConfig: any(`${loggers}.stream.v3.${type}`, { logFormat }) }
}

/** The connection manager's tracing: its provider stands here and not in the bootstrap, so that a change needs no restart. */
export function tracing({ collector, sampling, tags }: IrTracing): PlainMessage {
  const percents = { clientSampling: sampling.client, randomSampling: sampling.random, overallSampling: sampling.overall }
  const given = Object.entries(percents).filter((entry): entry is [string, number] => entry[1] !== undefined)
  return {
    ...Object.fromEntries(given.map(([field, percent]) => [field, { value: percent }])),
    customTags: tags.map(customTag),
    provider: provider(collector),
  }
}

function customTag(given: IrTag): PlainMessage {
  if (given.kind === 'literal') return { tag: given.tag, literal: { value: given.value } }
  const from = { name: given.name, defaultValue: given.defaultValue }
  return given.kind === 'environment' ? { tag: given.tag, environment: from } : { tag: given.tag, requestHeader: from }
}

function provider(collector: IrCollector): PlainMessage {
  switch (collector.kind) {
    case 'zipkin':
      return {
        name: 'envoy.tracers.zipkin',
        typedConfig: any('envoy.config.trace.v3.ZipkinConfig', {
          collectorCluster: collector.service.cluster,
          collectorEndpoint: collector.endpoint,
          collectorEndpointVersion: collector.version,
          ...(collector.hostname === undefined ? {} : { collectorHostname: collector.hostname }),
          traceId_128bit: collector.traceId128,
          sharedSpanContext: { value: collector.sharedSpanContext },
        }),
      }
    case 'datadog':
      return {
        name: 'envoy.tracers.datadog',
        typedConfig: any('envoy.config.trace.v3.DatadogConfig', {
          collectorCluster: collector.service.cluster,
          serviceName: collector.serviceName,
        }),
      }
    case 'opentelemetry':
      return {
        name: 'envoy.tracers.opentelemetry',
        typedConfig: any('envoy.config.trace.v3.OpenTelemetryConfig', {
          grpcService: grpcService(collector.service),
          serviceName: collector.serviceName,
        }),
      }
  }
}
