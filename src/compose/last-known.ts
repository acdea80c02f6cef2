import { createHash } from 'node:crypto'
import type { Clock, SourceLog } from '../discovery/contract.ts'
import { addressRules } from '../discovery/address-rules.ts'
import { guardBounds } from '../discovery/guard-bounds.ts'
import type { GroupSink } from '../discovery/guarded-sink.ts'
import type { KnownBefore } from '../discovery/source-run.ts'
import { LastKnownGood } from '../discovery/last-known-good.ts'
import { lastKnownGoodPart } from '../discovery/last-known-good-store.ts'
import type { SourceStatus } from '../discovery/status.ts'
import { errorText } from '../model/errors.ts'
import type { Settings, SourceSettings } from '../settings/settings.ts'
import type { EndpointTable } from '../table/endpoint-table.ts'
import type { State } from './state.ts'

/** The endpoint table as sources write to it, and what is kept of it over a restart. */
export interface KeptTable {
  readonly sink: GroupSink
  /** What was known of a source before the start. */
  recall(one: SourceSettings): Promise<KnownBefore | undefined>
  /** The source was taken out of the settings. */
  forget(source: string): void
  /** Keeps noting, until the signal aborts, that what is kept is still true. */
  follow(statuses: () => readonly SourceStatus[], signal: AbortSignal): void
}

/** From a change to its write: a group that changes all the time is written that often. */
const delayMs = 2000
/** Ages of what is kept are right to this. */
const refreshMs = 60_000

export interface KeepGiven {
  readonly settings: Pick<Settings, 'state'>
  readonly state: State
  readonly clock: Clock
  readonly log: SourceLog
}

/** Keeps what goes into the table in the embedded database; with `state.path: ":memory:"` nothing is kept. */
export function keepTable(table: EndpointTable, { settings, state, clock, log }: KeepGiven): KeptTable {
  if (settings.state.path === ':memory:')
    return { sink: table, recall: () => Promise.resolve(undefined), forget: () => undefined, follow: () => undefined }
  let statuses: () => readonly SourceStatus[] = () => []
  const kept = new LastKnownGood({
    store: state.store(lastKnownGoodPart, undefined),
    writer: write => state.writeBehind(lastKnownGoodPart, write, delayMs),
    group: (source, id) => table.group(source, id),
    confirmedAt: source => {
      const status = statuses().find(one => one.name === source)
      return status === undefined || status.state === 'syncing' ? undefined : status.lastSuccess
    },
  })
  let isTidy = false
  /** Sources that were taken out of the settings while the gateway was down. By then those that objects ask for run, too. */
  const tidy = async (): Promise<void> => {
    try {
      await kept.keepOnly(statuses().map(one => one.name))
    } catch (error) {
      log.error({ code: 'state-unusable' }, errorText(error))
    }
  }
  return {
    sink: {
      apply(source, groups, receivedAt) {
        table.apply(source, groups, receivedAt)
        kept.note(source.name, groups)
      },
      prune: (source, keep, receivedAt) => table.prune(source, keep, receivedAt),
      group: (source, id) => table.group(source, id),
      groupsOf: source => table.groupsOf(source),
      countIn: (source, service) => table.countIn(source, service),
      countOf: source => table.countOf(source),
      setStale: (source, isStale, receivedAt) => table.setStale(source, isStale, receivedAt),
    },
    async recall(one) {
      const maxAgeMs = guardBounds(one.guards).maxStaleSeconds * 1000
      const told = createHash('sha256')
        .update(JSON.stringify([one.type, one.namespace, one.own]))
        .digest('base64url')
      try {
        const recall = await kept.recall(
          { name: one.name, settings: told, maxAgeMs, admitAddress: addressRules(one.addresses) },
          clock.wall(),
        )
        if (recall === undefined) return undefined
        if ('reason' in recall) {
          log.warn({ source: one.name }, recall.reason)
          return { notice: recall.reason }
        }
        if (recall.refused.length > 0)
          log.warn(
            { source: one.name, code: 'address-refused', count: recall.refused.length },
            `endpoints known before left out: ${recall.refused[0] ?? ''}`,
          )
        return { groups: recall.groups, confirmedAt: recall.confirmedAt }
      } catch (error) {
        log.error({ source: one.name, code: 'state-unusable' }, errorText(error))
        return { notice: errorText(error) }
      }
    },
    forget: source => kept.forget(source),
    follow(read, signal) {
      statuses = read
      void (async () => {
        const isOver = (): boolean => signal.aborted
        while (!isOver()) {
          await clock.sleep(refreshMs, signal)
          if (isOver()) return
          kept.refresh()
          if (isTidy) continue
          isTidy = true
          await tidy()
        }
      })()
    },
  }
}
