import type { Metrics } from '../telemetry/metrics.ts'
import type { StreamObserver } from '../xds/stream.ts'

/** Counts what happens on xDS streams, and logs refusals by clients: a rejected resource is somebody's mistake, which `onNack` traces. */
export function xdsObserver(
  metrics: Metrics,
  now: () => number,
  log: { warn(data: object, message: string): void },
  onNack: () => void,
): StreamObserver {
  return {
    written(type, bytes, receivedAt) {
      metrics.pushed(type, bytes)
      if (receivedAt !== undefined) metrics.change('table_to_write', (now() - receivedAt) / 1000)
    },
    acked(_type, writtenAt, receivedAt) {
      metrics.acked()
      metrics.change('write_to_ack', (now() - writtenAt) / 1000)
      if (receivedAt !== undefined) metrics.change('source_to_ack', (now() - receivedAt) / 1000)
    },
    nacked(type, node, message, again) {
      metrics.nacked()
      onNack()
      if (!again) log.warn({ type, node, message }, 'an Envoy rejected a response; it keeps what it had')
    },
    bound: bound => metrics.bound(bound),
    fault: fault => metrics.fault(fault),
  }
}
