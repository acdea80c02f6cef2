import { setTimeout as sleepFor } from 'node:timers/promises'
import type {
  Clock,
  DiscoverySource,
  Freshness,
  RemovalCause,
  SourceContext,
  SourceGiven,
  SourceLog,
  Wanted,
} from '../../src/discovery/contract.ts'
import type { EndpointGroup } from '../../src/model/endpoint-group.ts'
import { IsthmusError } from '../../src/model/errors.ts'

/** A line a source logged. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly data: object
  readonly message: string
}

/** A log that keeps its lines. */
export interface RecordedLog extends SourceLog {
  readonly lines: LogLine[]
}

function recordedLog(): RecordedLog {
  const lines: LogLine[] = []
  const at =
    (level: LogLine['level']) =>
    (data: object, message: string): void => {
      lines.push({ level, data, message })
    }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Real time, for sources that wait for a real server. */
const realClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  sleep: (ms, signal) => sleepFor(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined),
}

/**
 * What a gateway gives a source at creation. The address rule is a stand-in for the gateway's: it takes every IPv4 literal outside of
 * 127.0.0.0/8 and every IPv6 literal, and refuses the rest.
 */
export function makeGiven(over: Partial<SourceGiven> = {}): SourceGiven & { readonly log: RecordedLog } {
  const log = recordedLog()
  const admitAddress = (address: string): string => {
    const isV4 = /^\d{1,3}(\.\d{1,3}){3}$/.test(address)
    if (!isV4 && !address.includes(':')) throw new IsthmusError('address-refused', `${address} is no IP address`)
    if (address.startsWith('127.')) throw new IsthmusError('address-refused', `${address} is a loopback address`)
    return address
  }
  return { name: 'test', namespace: 'default', admitAddress, clock: realClock, stateFolder: undefined, ...over, log }
}

/** Nothing is asked for by routes, unless names are given. */
export function makeWanted(...keys: string[]): Wanted {
  const set = new Set<string>(keys)
  return { has: key => set.has(key), keys: () => set.values() as Iterable<never>, onChange: () => () => undefined }
}

/** Everything that one or several runs of a source said, kept as the gateway's host keeps it. */
export class Recording {
  /** Groups in force: replaced, deleted when empty, pruned after a sync. */
  readonly groups = new Map<string, EndpointGroup>()
  /** What each call of `emit` said of what it took away. */
  readonly causes: RemovalCause[] = []
  /** Each call of `emit`, in order. */
  readonly emissions: (readonly EndpointGroup[])[] = []
  readonly reports: Freshness[] = []
  readonly log = recordedLog()
  syncs = 0
  #waiting: (() => void)[] = []

  /** Resolves as soon as the condition holds; it is tried again after everything the source says. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  /** The table of this source: service key → its sorted `address:port`. */
  view(): Record<string, string[]> {
    const view: Record<string, string[]> = {}
    for (const { service, endpoints } of this.groups.values()) {
      const list = (view[service] ??= [])
      for (const { address, port } of endpoints) list.push(`${address}:${port}`)
      list.sort()
    }
    return view
  }

  /** Resolves as soon as the service has exactly these endpoints; none means that it is gone. */
  untilServed(service: string, ...expected: string[]): Promise<void> {
    return this.until(() => (this.view()[service] ?? []).join() === expected.toSorted().join())
  }

  notify(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}

/** One run of a source. */
export interface Run {
  readonly recording: Recording
  readonly controller: AbortController
  /** Settles when the run is over; resolves to what it threw, if it threw. */
  readonly over: Promise<unknown>
  isOver(): boolean
  /** Aborts the run and waits for its end. */
  stop(): Promise<unknown>
}

export interface RunOptions {
  /** To go on with the groups of a former run. */
  readonly recording?: Recording
  readonly clock?: Clock
  readonly random?: () => number
  readonly wanted?: Wanted
}

/**
 * Starts a source as the host does. Unlike the host it does not fence: what a source says after its abort is recorded, so that a test
 * can see the fault.
 */
export function startRun(source: DiscoverySource, options: RunOptions = {}): Run {
  const recording = options.recording ?? new Recording()
  const controller = new AbortController()
  const repeated = new Set<string>()
  const context: SourceContext = {
    signal: controller.signal,
    emit(groups, _receivedAt, cause = 'absent') {
      recording.emissions.push(groups)
      recording.causes.push(cause)
      for (const group of groups) {
        repeated.add(group.id)
        if (group.endpoints.length === 0) recording.groups.delete(group.id)
        else recording.groups.set(group.id, group)
      }
      recording.notify()
    },
    synced() {
      for (const id of recording.groups.keys()) if (!repeated.has(id)) recording.groups.delete(id)
      repeated.clear()
      for (const id of recording.groups.keys()) repeated.add(id)
      recording.syncs += 1
      recording.notify()
    },
    report(freshness) {
      recording.reports.push(freshness)
      recording.notify()
    },
    wanted: options.wanted ?? makeWanted(),
    log: recording.log,
    clock: options.clock ?? realClock,
    random: options.random ?? (() => 0.5),
  }
  let ended = false
  const over = source
    .run(context)
    .then(
      () => undefined,
      (error: unknown) => error ?? new Error('the run threw nothing'),
    )
    .finally(() => {
      ended = true
      recording.notify()
    })
  return {
    recording,
    controller,
    over,
    isOver: () => ended,
    stop() {
      controller.abort()
      return over
    },
  }
}
