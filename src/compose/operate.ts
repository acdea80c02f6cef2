import type { Clock, SourceLog } from '../discovery/contract.ts'
import { Overrides, overridesPart } from '../operate/overrides.ts'
import type { EndpointTable } from '../table/endpoint-table.ts'
import type { State } from './state.ts'

export interface OperateGiven {
  readonly state: State
  readonly clock: Clock
  readonly log: SourceLog
  readonly table: EndpointTable
}

/** What operators decide, wired to the table and the embedded database. */
export interface Operate {
  readonly overrides: Overrides
  /** Reads what was kept; before any source tells anything. */
  start(): void
  stop(): void
}

export function openOperate({ state, clock, log, table }: OperateGiven): Operate {
  const overrides = new Overrides({
    clock,
    log,
    database: state.database(overridesPart),
    writer: write => state.writeBehind(overridesPart, write),
    changed: services => table.overridesChanged(services, clock.now()),
    record: ({ what, override: { id, service, address, port, action, reason }, actor }) =>
      log.info({ what, id, service, address, port, action, reason, actor }, 'an operator decided about an endpoint'),
  })
  return { overrides, start: () => overrides.load(), stop: () => overrides.close() }
}
