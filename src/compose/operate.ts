import type { Clock, SourceLog } from '../discovery/contract.ts'
import { Overrides, overridesPart } from '../operate/overrides.ts'
import { Ledger } from '../operate/ledger.ts'
import { ledgerPart } from '../operate/ledger-store.ts'
import type { Settings } from '../settings/settings.ts'
import type { EndpointTable } from '../table/endpoint-table.ts'
import type { State } from './state.ts'

export interface OperateGiven {
  readonly state: State
  readonly clock: Clock
  readonly random: () => number
  readonly log: SourceLog
  readonly table: EndpointTable
  readonly settings: Pick<Settings, 'ledger'>
}

/** What operators decide and what happened, wired to the table and the embedded database. */
export interface Operate {
  readonly overrides: Overrides
  readonly ledger: Ledger
  /** All sources were read, or long enough waited for. */
  settled(): void
  /** Reads what was kept; before any source tells anything. */
  start(): void
  stop(): void
}

/** From a change to its entry: soon, for those who follow the ledger, and not for each change alone, as every write wakes two threads. */
const ledgerDelayMs = 250
/** What could not be written at once. */
const overridesDelayMs = 1000

export function openOperate({ state, clock, random, log, table, settings }: OperateGiven): Operate {
  const ledger = new Ledger({
    clock,
    random,
    store: state.store(ledgerPart, { maxAgeMs: settings.ledger.days * 86_400_000, maxBytes: settings.ledger.megabytes * 1_000_000 }),
    writer: write => state.writeBehind(ledgerPart, write, ledgerDelayMs),
  })
  const overrides = new Overrides({
    clock,
    log,
    database: state.database(overridesPart),
    writer: write => state.writeBehind(overridesPart, write, overridesDelayMs),
    changed: services => table.overridesChanged(services, clock.now()),
    record({ what, override, actor }) {
      const { id, service, address, port, action, reason } = override
      log.info({ what, id, service, address, port, action, reason, actor }, 'an operator decided about an endpoint')
      ledger.recordOverride({ what, override, actor }, table.revision)
    },
  })
  table.onChange(change => ledger.note(change))
  return {
    overrides,
    ledger,
    start: () => overrides.load(),
    settled: () =>
      ledger.settle(
        [...table.pools()].map(pool => pool.service),
        table.revision,
      ),
    stop: () => overrides.close(),
  }
}
