import type { Clock } from '../../src/discovery/contract.ts'
import { Ledger, ledgerPart } from '../../src/operate/ledger.ts'
import { Database } from '../../src/state/database.ts'
import { WriteBehind } from '../../src/state/write-behind.ts'
import type { EndpointTable } from '../../src/table/endpoint-table.ts'

/** The ledger of a table, kept in a file or in memory. */
export function testLedger(
  table: EndpointTable,
  clock: Clock,
  { path = ':memory:', maxBytes = 100_000_000, maxAgeMs = 7 * 86_400_000 } = {},
): Ledger {
  const ledger = new Ledger({
    clock,
    database: new Database({ ...ledgerPart, path, wall: () => clock.wall(), onDamage: () => undefined }),
    writer: write => new WriteBehind({ clock, write, onFailure: () => undefined, delayMs: 0 }),
    maxBytes,
    maxAgeMs,
  })
  table.onChange(change => ledger.note(change))
  return ledger
}
