import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Bound, ClientFault } from '../xds/faults.ts'
import type { ResourceType } from '../xds/type-urls.ts'
import { type MetricReaders, observeReaders } from './observed.ts'

export type { MetricReaders }

/** Parts of the way of a change (interface.md, "Metrics"). */
const changeStages = ['source_to_table', 'table_to_write', 'write_to_ack', 'source_to_ack'] as const
export type ChangeStage = (typeof changeStages)[number]

/** So many durations of a stage are noted before they are sorted into their buckets, if nobody asks before. */
const waitingMost = 1000

/** 0.1 ms to 10 s. */
const buckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** How often the event loop is asked whether it is late. */
const loopSampleMs = 10

/** What one gateway counts. Each has a registry of its own: nothing here is global. */
export interface Metrics {
  /** For `GET /metrics`. */
  readonly registry: { readonly contentType: string; metrics(): Promise<string> }
  change(stage: ChangeStage, seconds: number): void
  /** One response to one Envoy. */
  pushed(type: ResourceType, bytes: number): void
  acked(): void
  nacked(): void
  /** A wait on an xDS stream was over before what it waited for. */
  bound(bound: Bound): void
  /** An xDS client did what it should not. */
  fault(fault: ClientFault): void
  /** From now on, every scrape also reads the state of the gateway from these. */
  observe(readers: MetricReaders): void
  close(): void
}

/**
 * Makes the metrics of interface.md, with Node's own (memory, garbage collection) beside them.
 * @param version the label of `isthmus_build_info`
 */
export function createMetrics({ version }: { readonly version: string }): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  new Gauge({ name: 'isthmus_build_info', help: 'Always 1; the version is the label.', labelNames: ['version', 'node'], registers }).set(
    { version, node: process.version },
    1,
  )
  const changes = new Histogram({
    name: 'isthmus_change_duration_seconds',
    help: 'Time of an endpoint change on its way from the source to the acknowledgement, by part of the way.',
    labelNames: ['stage'],
    buckets,
    registers,
    collect: () => sortIn(),
  })
  /** Noted in one step and sorted in together: a histogram looks up labels and buckets for each. */
  const waiting: Record<ChangeStage, number[]> = { source_to_table: [], table_to_write: [], write_to_ack: [], source_to_ack: [] }
  const sortIn = (): void => {
    for (const stage of changeStages) for (const took of waiting[stage].splice(0)) changes.observe({ stage }, took)
  }
  const pushes = new Map<ResourceType, number>()
  let [acks, nacks, bytes] = [0, 0, 0]
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  new Counter({
    ...{ name: 'isthmus_xds_pushes_total', help: 'xDS responses sent.', labelNames: ['type'], registers },
    collect() {
      this.reset()
      for (const [type, count] of pushes) this.inc({ type }, count)
    },
  })
  counter('isthmus_xds_acks_total', 'xDS responses that were acknowledged.', () => acks)
  counter('isthmus_xds_nacks_total', 'xDS responses that were rejected.', () => nacks)
  counter('isthmus_xds_response_bytes_total', 'Bytes of xDS responses sent.', () => bytes)

  const bounds = new Counter({
    name: 'isthmus_xds_bounds_total',
    help: 'Waits on xDS streams that ended by their time bound: for what a resource requires, for an answer, for admission.',
    labelNames: ['bound'],
    registers,
  })
  const faults = new Counter({
    name: 'isthmus_xds_client_faults_total',
    help: 'What xDS clients did that they should not; each has one log line per stream.',
    labelNames: ['fault'],
    registers,
  })

  const delay = monitorEventLoopDelay({ resolution: loopSampleMs })
  delay.enable()
  new Gauge({
    name: 'isthmus_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape.',
    labelNames: ['quantile'],
    registers,
    collect() {
      for (const quantile of [0.5, 0.99]) this.set({ quantile }, seconds(delay.percentile(quantile * 100)))
      this.set({ quantile: 1 }, seconds(delay.max))
      delay.reset()
    },
  })

  return {
    registry,
    change(stage, took) {
      if (waiting[stage].push(took) >= waitingMost) sortIn()
    },
    pushed(type, size) {
      pushes.set(type, (pushes.get(type) ?? 0) + 1)
      bytes += size
    },
    acked() {
      acks++
    },
    nacked() {
      nacks++
    },
    bound: bound => bounds.inc({ bound }),
    fault: fault => faults.inc({ fault }),
    observe: readers => observeReaders(registry, readers),
    close() {
      delay.disable()
      registry.clear()
    },
  }
}

/** The histogram counts whole timer intervals in nanoseconds, the delay is what exceeds them; before its first sample it has no number. */
function seconds(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - loopSampleMs / 1000) : 0
}
